"""A state to look at and a menu under it: Home, and the groups that it leads to."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from pai_signer.domain.page import Page
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.desk import Action
from pai_signer.faces.rows import Layout, Row
from pai_signer.faces.topics import Topic, topic_for
from pai_signer.faces.tui.screens.conversation import ConversationScreen
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.menu import Menu, MenuLine


@dataclass(frozen=True)
class Seen:
    """What such a screen draws, read in one go."""

    title: str
    pages: tuple[Page, ...]
    actions: tuple[Action, ...]


class MenuScreen(Frame):
    """Draws what ``look`` finds; subclasses may put lines of their own under the actions."""

    HELP_PAGE: ClassVar[Page] = Page(
        "A menu",
        hints(
            ("digits", "pick a line of the menu"),
            ("Up, Down, Enter", "the same, without digits"),
            ("Home, End", "the first line, the last"),
            ("PgUp, PgDn", "scroll the state above the menu"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "again", show=False)]

    #: What the row of keys offers besides picking a line.
    WAYS_OUT: ClassVar[tuple[str, ...]] = ("F2 journal", "F5 rescan", "F8 lock", "F10 leave")

    READS_ON: ClassVar[str] = " PgDn shows it."

    _actions: tuple[Action, ...] = ()
    _menu: Menu | None = None
    _is_up = False

    @abstractmethod
    def look(self) -> Seen:
        """Read what there is to draw; in a thread."""

    def own_lines(self) -> Sequence[tuple[str, Callable[[Shell], Frame]]]:
        """Further lines: a label, and the screen that it opens."""
        return ()

    def on_mount(self) -> None:
        """Look for the first time."""
        # The keys are the menu's; PgUp and PgDn scroll the state from anywhere.
        self.body.can_focus = False
        self._is_up = True
        self.rescan()

    def on_screen_resume(self) -> None:
        """Look afresh whenever it comes up again; the first time is before it is mounted."""
        if self._menu is not None:
            self._menu.focus()  # at once: keys pressed during the rescan count
        if self._is_up:
            self.rescan()

    def rescan(self) -> None:
        """Read the state again."""
        self.say(wording.ONE_MOMENT)
        self.offer(*self.WAYS_OUT)
        self.in_background(self.look, self._show, self._fail)

    def action_again(self) -> None:
        """After an error: look again."""
        if self._menu is None:
            self.rescan()

    def _show(self, seen: Seen) -> None:
        self._actions = seen.actions
        self.entitle(seen.title)
        self.body.show(partial(_state_rows, seen.pages))
        lines = [MenuLine(a.label, a.unavailable_because) for a in seen.actions]
        lines += [MenuLine(label) for label, _ in self.own_lines()]
        if self._menu is None or self._menu.lines != tuple(lines):
            self._replace_menu(Menu(lines, lat15=self.shell.look.lat15))
        else:  # what is highlighted, or half typed, stays
            self._menu.focus()
        number = self._menu.half_typed if self._menu is not None else 0
        if number:
            self.say(wording.half_typed(number), alarm=True)
        else:
            self.say_rows()
        self.offer("digit or Enter picks", *self.WAYS_OUT)

    def _fail(self, error: SignerError) -> None:
        self._actions = ()
        self._replace_menu(None)
        self.show_error(error)
        self.say("The state of the workstation could not be read.", alarm=True)
        self.offer("Enter look again", *self.WAYS_OUT)

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

    def on_menu_moved(self) -> None:
        """Why another line could not be picked is said no longer."""
        self.say_rows()

    def on_menu_picked(self, event: Menu.Picked) -> None:
        """Begin what was picked, or say why not."""
        if self.app.screen is not self:
            return  # covered since the key was pressed
        if event.index >= len(self._actions):
            _, screen = self.own_lines()[event.index - len(self._actions)]
            self.app.push_screen(screen(self.shell))
            return
        action = self._actions[event.index]
        if action.unavailable_because:
            self.say(f"Not now: {action.unavailable_because}", alarm=True)
            return
        begin = partial(self.shell.desk.begin, action.id, action.arguments)
        topic = topic_for(action.group, action.id)
        self.app.push_screen(ConversationScreen(self.shell, begin, topic))


class GroupScreen(MenuScreen):
    """One group of actions, with the state that concerns it."""

    WAYS_OUT: ClassVar[tuple[str, ...]] = ("Esc back", "F2 journal", "F5 rescan", "F8 lock")

    def __init__(self, shell: Shell, group: str) -> None:
        super().__init__(shell)
        self._group = group

    @property
    def help_topic(self) -> Topic:
        """The group's page."""
        return topic_for(self._group)

    def look(self) -> Seen:
        """The group's pages and actions."""
        desk = self.shell.desk
        actions = tuple(a for a in desk.actions() if a.group == self._group)
        return Seen(self._group, desk.group_pages(self._group), actions)


def _state_rows(pages: tuple[Page, ...], layout: Layout) -> Sequence[Row]:
    """Pages close together: the state has to fit above its menu."""
    rows: list[Row] = []
    for page in pages:
        rows.extend(layout.heading(page.title))
        rows.extend(layout.lines(page.lines))
    return rows
