"""The frame of every screen: title row, body, message row, keys (SCREENS.md)."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.screen import Screen

from pai_signer.domain.page import Line, Page
from pai_signer.errors import SignerError
from pai_signer.faces.topics import Topic, topic_for
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.bars import OneRow, Rule, SizeNotice, TitleBar
from pai_signer.faces.tui.widgets.rows_view import RowsView
from pai_signer.faces.wording import error_page, rows_note, state_of_play

Result = TypeVar("Result")


class Frame(Screen[None], inherit_bindings=False):
    """One screen; subclasses fill ``body`` and ``ask``."""

    #: Shown by F1 above the keys that work everywhere.
    HELP_PAGE: ClassVar[Page] = Page("This screen", ())

    #: What reads on where there is more below, if the arrows do not.
    READS_ON: ClassVar[str] = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def __init__(self, shell: Shell) -> None:
        super().__init__()
        self.shell = shell
        self._left = ""
        self._has_noted = False
        self._close_when_shown = False

    def compose(self) -> ComposeResult:
        """Lay the rows out."""
        yield TitleBar()
        yield Rule()
        with Vertical(id="middle"):
            yield RowsView(lat15=self.shell.look.lat15)
            yield Vertical(id="ask")
        yield Rule()
        yield OneRow(id="message")
        yield OneRow(id="keys")
        yield SizeNotice(id="small")

    @property
    def body(self) -> RowsView:
        """The pane of rows."""
        return self.query_one(RowsView)

    @property
    def ask(self) -> Vertical:
        """Where a question stands, under the body."""
        return self.query_one("#ask", Vertical)

    @property
    def help_topic(self) -> Topic:
        """The page that F1 offers first here."""
        return topic_for()

    @property
    def is_standing(self) -> bool:
        """Whether there is anything to draw on: not before composing, nor in the taking down."""
        return any(pane.is_attached for pane in self.query("#ask"))

    @property
    def is_working(self) -> bool:
        """Whether work runs that must not lose its secrets."""
        return False

    @property
    def quit_refusal(self) -> str:
        """Why the app cannot be left now; empty where it can."""
        return ""

    def entitle(self, left: str) -> None:
        """Name the screen in the title row."""
        self._left = self.shell.shown(left)
        self.show_status()

    def show_status(self) -> None:
        """Draw the title row again, with the air gap and the clock as they are now."""
        status = self.shell.status
        right = state_of_play(
            status.air_gap, status.time, is_rehearsal=self.shell.desk.is_rehearsal
        )
        try:
            self.query_one(TitleBar).show(self._left, self.shell.shown(right))
        except NoMatches:
            return  # not composed yet; it asks again when it is

    def say(self, text: str, *, alarm: bool = False) -> None:
        """Fill the message row."""
        style = "bold $warning" if alarm else ""
        self.query_one("#message", OneRow).show(self.shell.shown(text), style)

    def offer(self, *keys: str) -> None:
        """Fill the row of keys."""
        self.offer_only(*keys, "F1 help")

    def offer_only(self, *keys: str) -> None:
        """Fill the row of keys where F1 is something else, or nothing."""
        self.query_one("#keys", OneRow).show("   ".join(keys))

    def show_error(self, error: SignerError) -> None:
        """What happened, what is unchanged, what to do next, the code (FACE-4)."""
        page = error_page(error)
        self.body.show(lambda layout: layout.page(page))

    def in_background(
        self,
        job: Callable[[], Result],
        then: Callable[[Result], None],
        failed: Callable[[SignerError], None],
    ) -> None:
        """Run ``job`` in a thread and take its result up on the screen.

        No argument of the job ever becomes part of a worker's name or description.
        """

        async def run() -> None:
            try:
                result = await asyncio.to_thread(job)
            except SignerError as error:
                finish = partial(failed, error)
            else:
                finish = partial(then, result)
            if self.is_standing:
                finish()

        self.run_worker(run(), name="work", description="work", exit_on_error=True)

    def on_lock(self) -> None:
        """Forget whatever secret this screen holds."""

    def on_rows_view_moved(self, event: RowsView.Moved) -> None:
        """Other rows came into view, by a key or by a new size."""
        self.rows_moved()

    def say_rows(self) -> None:
        """Where the reader stands in a page longer than the screen, or nothing."""
        first, last, count = self.body.rows_in_view
        note = rows_note(first, last, count) if last else ""  # before the first layout, none is
        self.say(note and note + self.READS_ON)
        self._has_noted = bool(note)

    def rows_moved(self) -> None:
        """Say where the reader stands in a long page; never over another message."""
        if self._has_noted or self.body.more_below:
            self.say_rows()

    def rescan(self) -> None:
        """Look afresh (F5); nothing to do for most screens."""

    def close_screen(self) -> None:
        """Leave this screen now, or, while another (the lock!) covers it, once it shows again.

        Textual pops whatever is on top, so closing blindly would be a way around the lock.
        """
        if self.app.screen is self:
            self.app.pop_screen()
        else:
            self._close_when_shown = True

    def on_screen_resume(self) -> None:
        """Leave if that was put off."""
        if self._close_when_shown:
            self.close_screen()

    def action_back(self) -> None:
        """Leave this screen."""
        self.close_screen()

    def action_page_up(self) -> None:
        """Scroll the body."""
        self.body.page_up()

    def action_page_down(self) -> None:
        """Scroll the body."""
        self.body.page_down()


def hints(*pairs: tuple[str, str]) -> tuple[Line, ...]:
    """Lines of a help page: key and what it does."""
    return tuple(Line(text, label=key) for key, text in pairs)
