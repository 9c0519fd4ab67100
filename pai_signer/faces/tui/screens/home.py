"""Home: the state first, then what can be done (SCREENS.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from pai_signer.domain.page import Page
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.desk import Action
from pai_signer.faces.rows import Layout, Row
from pai_signer.faces.tui.screens.conversation import ConversationScreen
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.screens.records import ChecksScreen, JournalScreen
from pai_signer.faces.tui.widgets.menu import Menu, MenuLine


@dataclass(frozen=True)
class _Seen:
    """What Home draws, read in one go."""

    title: str
    pages: tuple[Page, ...]
    actions: tuple[Action, ...]


class HomeScreen(Frame):
    """State of the workstation and the menu."""

    HELP_PAGE: ClassVar[Page] = Page(
        "Home",
        hints(
            ("digits", "pick a line of the menu"),
            ("Up, Down, Enter", "the same, without digits"),
            ("PgUp, PgDn", "scroll the state above the menu"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "again", show=False)]

    _actions: tuple[Action, ...] = ()
    _menu: Menu | None = None
    _is_up = False
    _own: ClassVar[tuple[str, ...]] = ("The journal", "Checks of this machine")

    def on_mount(self) -> None:
        """Look for the first time."""
        self.entitle(wording.HOME)
        # The keys are the menu's; PgUp and PgDn scroll the state from anywhere.
        self.body.can_focus = False
        self._is_up = True
        self.rescan()

    def on_screen_resume(self) -> None:
        """Look afresh whenever Home comes up again; the first time is before it is mounted."""
        if self._menu is not None:
            self._menu.focus()  # at once: keys pressed during the rescan count
        if self._is_up:
            self.rescan()

    def rescan(self) -> None:
        """Read the state again."""
        self.say(wording.ONE_MOMENT)
        self.offer("F5 rescan", "F10 leave")
        self.in_background(self._look, self._show, self._fail)

    def action_back(self) -> None:
        """Home is the first screen."""
        self.say("This is Home. F10 leaves.")

    def action_again(self) -> None:
        """After an error: look again."""
        if self._menu is None:
            self.rescan()

    def _look(self) -> _Seen:
        desk = self.shell.desk
        pages = (*desk.home().pages, wording.media_page(desk.media()))
        return _Seen(desk.title(), pages, desk.actions())

    def _show(self, seen: _Seen) -> None:
        self._actions = seen.actions
        self.entitle(seen.title)
        self.body.show(partial(_state_rows, seen.pages))
        lines = [MenuLine(a.label, a.unavailable_because) for a in seen.actions]
        lines += [MenuLine(label) for label in self._own]
        if self._menu is None or self._menu.lines != tuple(lines):
            self._replace_menu(Menu(lines, lat15=self.shell.look.lat15))
        else:  # what is highlighted, or half typed, stays
            self._menu.focus()
        number = self._menu.half_typed if self._menu is not None else 0
        self.say(wording.half_typed(number) if number else "", alarm=bool(number))
        self.offer("digit or Enter picks", "F2 journal", "F5 rescan", "F8 lock", "F10 leave")

    def _fail(self, error: SignerError) -> None:
        self._actions = ()
        self._replace_menu(None)
        self.show_error(error)
        self.say("The state of the workstation could not be read.", alarm=True)
        self.offer("Enter look again", "F2 journal", "F8 lock", "F10 leave")

    def _replace_menu(self, menu: Menu | None) -> None:
        if self._menu is not None:
            self._menu.remove()
        self._menu = menu
        if menu is not None:
            self.ask.mount(menu)
            menu.focus()

    def on_menu_half_typed(self, event: Menu.HalfTyped) -> None:
        """What the menu waits for."""
        self.say(wording.half_typed(event.number), alarm=True)

    def on_menu_picked(self, event: Menu.Picked) -> None:
        """Begin what was picked, or say why not."""
        if self.app.screen is not self:
            return  # covered since the key was pressed
        if event.index >= len(self._actions):
            own = (JournalScreen, ChecksScreen)[event.index - len(self._actions)]
            self.app.push_screen(own(self.shell))
            return
        action = self._actions[event.index]
        if action.unavailable_because:
            self.say(f"Not now: {action.unavailable_because}", alarm=True)
            return
        begin = partial(self.shell.desk.begin, action.id, action.arguments)
        self.app.push_screen(ConversationScreen(self.shell, begin))


def _state_rows(pages: tuple[Page, ...], layout: Layout) -> Sequence[Row]:
    """Pages close together: Home has to fit above its menu."""
    rows: list[Row] = []
    for page in pages:
        rows.extend(layout.heading(page.title))
        rows.extend(layout.lines(page.lines))
    return rows
