"""Home: the state first, then what can be done (SCREENS.md)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from pai_signer.domain.page import Page
from pai_signer.faces import wording
from pai_signer.faces.tui.screens.frame import Frame
from pai_signer.faces.tui.screens.menu import GroupScreen, MenuScreen, Seen
from pai_signer.faces.tui.screens.records import ChecksScreen, JournalScreen
from pai_signer.faces.tui.shell import Shell


class HomeScreen(MenuScreen):
    """State of the workstation and the menu."""

    HELP_PAGE: ClassVar[Page] = Page("Home", MenuScreen.HELP_PAGE.lines)

    def on_mount(self) -> None:
        """Say where this is before the first look."""
        self.entitle(wording.HOME)
        super().on_mount()

    def look(self) -> Seen:
        """Keys, releases, media; what belongs to no group."""
        desk = self.shell.desk
        pages = (*desk.home().pages, wording.media_page(desk.media()))
        return Seen(desk.title(), pages, tuple(a for a in desk.actions() if not a.group))

    def own_lines(self) -> Sequence[tuple[str, Callable[[Shell], Frame]]]:
        """The groups, the journal, the checks."""
        return (
            *((group, partial(GroupScreen, group=group)) for group in self.shell.desk.groups),
            ("The journal", JournalScreen),
            ("Checks of this machine", ChecksScreen),
        )

    def action_back(self) -> None:
        """Home is the first screen."""
        self.say("This is Home. F10 leaves.")
