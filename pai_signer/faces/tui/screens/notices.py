"""Screens that only say or ask one thing: lock, and "are you sure?"."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from pai_signer.domain.page import Line, Page
from pai_signer.faces.tui.screens.frame import Frame
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.bars import OneRow
from pai_signer.faces.tui.widgets.menu import Menu, MenuLine


class LockScreen(Frame, inherit_bindings=False):
    """Hides everything; work goes on underneath (SEC-4)."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "unlock", show=False)]

    def on_mount(self) -> None:
        """Say so."""
        self.entitle("Locked")
        page = Page(
            "Locked",
            (
                Line("Everything is hidden, and the passphrases typed so far are forgotten;"),
                Line("they will be asked for again. Work that was running goes on."),
            ),
        )
        self.body.show(lambda layout: layout.page(page))
        self.query_one("#keys", OneRow).show("Enter unlock")

    def action_unlock(self) -> None:
        """Show what was hidden."""
        self.close_screen()


class AskScreen(Frame):
    """Yes or no; "no" is highlighted, and Esc is no."""

    def __init__(self, shell: Shell, page: Page, yes: str, no: str, on_yes: Callable[[], None]):
        super().__init__(shell)
        self._page = page
        self._lines = (MenuLine(yes, key="y"), MenuLine(no, key="n"))
        self._on_yes = on_yes

    def on_mount(self) -> None:
        """Ask."""
        self.entitle(self._page.title)
        self.body.show(lambda layout: layout.page(self._page))
        menu = Menu(self._lines, lat15=self.shell.look.lat15, selected=1)
        self.ask.mount(menu)
        menu.focus()
        self.offer("y yes", "n no", "Esc back")

    def on_menu_picked(self, event: Menu.Picked) -> None:
        """Leave first: the deed may open or close screens of its own."""
        if self.app.screen is not self:
            return  # covered since the key was pressed
        self.close_screen()
        if event.index == 0:
            self._on_yes()
