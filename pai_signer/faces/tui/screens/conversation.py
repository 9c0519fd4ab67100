"""The one screen that renders every step of every workflow (FACE-1)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.timer import Timer

from pai_signer.domain.page import Line, Page
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.code_rows import drawn_page, typed_page
from pai_signer.faces.rows import Layout, Row
from pai_signer.faces.topics import Topic
from pai_signer.faces.tui.screens import view as views
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.screens.note import NoteScreen
from pai_signer.faces.tui.screens.notices import AskScreen
from pai_signer.faces.tui.screens.view import Running, View, fetch_view, step_back
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.question import QuestionPane
from pai_signer.workflows.engine import Answer, Choice, Confirm, Conversation, Proceed

POLL_HZ: Final = 8
Begin = Callable[[], Conversation[Any]]

_DISCARD: Final = Page(
    "Discard this work?",
    (
        Line("What this work prepared is undone and its saved state is forgotten."),
        Line("Files on other media are not touched."),
    ),
)


class Phase(Enum):
    """What the screen is doing."""

    LOADING = auto()
    READING = auto()
    WORKING = auto()
    WORKED = auto()
    FAILED = auto()
    FINISHED = auto()


class ConversationScreen(Frame):
    """Walks through a workflow: read, answer, watch, read on."""

    HELP_PAGE: ClassVar[Page] = Page(
        "Steps",
        hints(
            ("Enter", "read on; on the last page: answer"),
            ("b", "back: a page, then a step, to the point of no return"),
            ("r", "read this step from the start"),
            ("d", "discard this work; asked first"),
            ("F3 or x", "in a ceremony: note what goes differently"),
            ("c", "cancel the running work"),
            ("digits, Up, Down", "pick an answer"),
            ("y, n", "yes, no"),
            ("n, p; i", "on a QR code: next, back; i the other way round"),
            ("Esc", "as b; on the first step: to Home, the work is kept"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "go_on", show=False),
        Binding("b", "walk_back", show=False),
        Binding("r", "from_the_start", show=False),
        Binding("d", "discard", show=False),
        Binding("c", "cancel", show=False),
        Binding("f3,x", "note", show=False),
        Binding("n", "code('go_on')", show=False),
        Binding("p", "code('walk_back')", show=False),
        Binding("i", "code('invert')", show=False),
    ]

    def __init__(self, shell: Shell, begin: Begin, topic: Topic) -> None:
        super().__init__(shell)
        self._topic = topic
        self._begin = begin
        self._conversation: Conversation[Any] | None = None
        self._phase = Phase.LOADING
        self._view = View()
        self._page = 0
        self._is_drawn = False
        self._pane: QuestionPane | None = None
        self._current = Running(View(), 0.0)
        self._poll: Timer | None = None
        self._wipe_when_idle = False
        self._code_look = shell.look.codes

    # --- what the app asks ----------------------------------------------------------

    @property
    def help_topic(self) -> Topic:
        """The page about what is being done."""
        return self._topic

    @property
    def is_working(self) -> bool:
        """Whether a step is being taken right now."""
        return self._phase is Phase.WORKING

    @property
    def quit_refusal(self) -> str:
        """Not while a step runs that cannot be stopped."""
        if self._phase is Phase.LOADING:
            return "One moment: a step is being prepared."
        if self.is_working and not self._current.can_cancel:
            return "Not now: this step has to finish first."
        return ""

    def cancel_work(self) -> None:
        """Ask running work to stop, because the app is being left."""
        if self.is_working and self._current.can_cancel:
            self._current.progress.cancel()

    def on_lock(self) -> None:
        """Wipe typed secrets now, and the session as soon as no step needs it."""
        if self._pane is not None:
            self._pane.wipe()
        if self._phase in (Phase.WORKING, Phase.LOADING):
            self._wipe_when_idle = True
            return
        self._forget_secrets()
        if self._phase is Phase.READING:
            self._load()

    def rescan(self) -> None:
        """Ask the step's question afresh: other media may be there now."""
        if self._phase in (Phase.READING, Phase.FAILED):
            self._load()

    # --- fetch and draw a step ------------------------------------------------------

    def on_mount(self) -> None:
        """Begin, or resume."""
        self.entitle("")
        self._load()

    def _load(self) -> None:
        self._phase = Phase.LOADING
        self._disarm()
        self.say(wording.ONE_MOMENT)
        self.offer()
        self.in_background(self._fetch, self._show, self._fail)

    def _fetch(self) -> View:
        if self._conversation is None:
            self._conversation = self._begin()
        return fetch_view(self._conversation)

    def _show(self, view: View) -> None:
        self._view = view
        self._page = 0
        self.entitle(view.title)
        if view.step is None:
            self._phase = Phase.FINISHED
        elif self._wipe_when_idle:  # what was fetched may rest on secrets that go now
            self._wipe_now()
            self._load()
            return
        elif view.is_automatic:
            self._work("")
            return
        else:
            self._phase = Phase.READING
        self._show_page()

    def _show_page(self) -> None:
        self._is_drawn = False
        self._disarm()
        self.body.set_class(not self._view.pages, "-empty")
        self.set_class(self._drawn_code() is not None, "-code")
        self.body.show(self._set_page)
        self.body.focus()
        self._say_where()
        self.call_after_refresh(self._drawn)

    def _drawn(self) -> None:
        """The page is on the screen; an Enter typed ahead of it does not count as reading."""
        self._is_drawn = True
        self._arm_if_read()

    def _set_page(self, layout: Layout) -> Sequence[Row]:
        if not self._view.pages:
            return ()
        page = self._view.pages[self._page]
        if page.code is not None:
            look = self._code_look
            return self._drawn_code() or typed_page(page, page.code, layout, look)
        note = wording.page_note(self._page + 1, len(self._view.pages))
        return (*layout.heading(page.title, note), Row(""), *layout.lines(page.lines))

    def _drawn_code(self) -> tuple[Row, ...] | None:
        """The page's QR code, if it has one, drawn under the title row alone (EXP-4)."""
        pages = self._view.pages if self._phase in (Phase.READING, Phase.FINISHED) else ()
        page = pages[self._page] if pages else None
        if page is None or page.code is None:
            return None
        width, height = self.app.size
        layout, look = Layout(width, self.shell.look.lat15), self._code_look
        keys = views.CODE_KEYS if look.has_colours else views.PLAIN_CODE_KEYS
        return drawn_page(page, page.code, layout, height - 1, look, keys)

    @property
    def _is_last_page(self) -> bool:
        return self._page + 1 >= len(self._view.pages)

    def rows_moved(self) -> None:
        """Other rows came into view: perhaps the last ones."""
        self.set_class(self._drawn_code() is not None, "-code")
        self._arm_if_read()
        if self._phase in (Phase.READING, Phase.FINISHED, Phase.WORKED):
            self._say_where()
        elif self._phase is Phase.FAILED:
            self._say_failed()

    @property
    def _is_read(self) -> bool:
        """Whether the end of the last page is in view, and the question not yet put."""
        is_at_end = self._phase is Phase.READING and self._is_last_page and self._pane is None
        return is_at_end and self._is_drawn and not self.body.more_below

    def _arm_if_read(self, *, asked_for: bool = False) -> None:
        """Put the question once the last page was read to its end (REV-1).

        Where it would push rows out of sight, it waits until it is ``asked_for``: whatever
        was on the screen has then stood still for as long as the reader wanted.
        """
        width = self.body.content_size.width
        step, question = self._view.step, self._view.question
        if not self._is_read or not width or not self.is_standing:
            return
        if step is None or question is None:
            return
        acts = wording.who_acts(step.actor)
        pane = QuestionPane(question, acts, lat15=self.shell.look.lat15)
        hides = bool(self._view.pages) and not self.body.keeps_in_view(pane.rows_for(width))
        if hides and not asked_for:
            self._say_where()
            return
        self._pane = pane
        self.ask.mount(pane)
        self.body.keep_end()
        self._say_where()

    def _disarm(self) -> None:
        pane, self._pane = self._pane, None
        if pane is not None:
            pane.wipe()
            pane.remove()

    def _offer(self, keys: Sequence[str]) -> None:
        """The keys of a step; a ceremony's has one more."""
        if self._conversation is not None and self._conversation.is_ceremony:
            # 78 cells have no room for both; where there is a b, Esc does the same.
            shorter = (key for key in keys if key != "Esc back" or "b back" not in keys)
            keys = (*shorter, "F3 note")
        self.offer(*keys)

    def action_code(self, action: str) -> None:
        """The keys of a page with a QR code."""
        page = self._view.pages[self._page] if self._view.pages else None
        if self._phase not in (Phase.READING, Phase.FINISHED) or not page or not page.code:
            return
        if action == "go_on":
            self.action_go_on()
        elif action == "walk_back":
            self.action_walk_back()
        else:
            inverted = not self._code_look.inverted
            self._code_look = replace(self._code_look, inverted=inverted)
            self._show_page()

    def _say_where(self) -> None:
        more_pages = "" if self._is_last_page else "There are more pages."
        note = wording.rows_note(*self.body.rows_in_view) or more_pages
        above = wording.MORE_ABOVE if self.body.rows_in_view[0] > 1 else ""
        if self._phase is Phase.WORKED:
            self.say(note or above or "Done.")
            self._offer(("Enter go on",))
        elif self._phase is Phase.FINISHED:
            self.say(note or "Done.")
            self.offer(*views.FINISHED_HINTS)
        elif self._is_read:
            self.say(wording.END_OF_PAGE)
            self._offer(views.END_HINTS)
        elif self._pane is None:
            self.say(note)
            self._offer(views.READING_HINTS)
        else:
            self.say(self._view.warning or above)
            match self._view.question:
                case Proceed():
                    self._offer(views.PROCEED_HINTS)
                case Choice() | Confirm():
                    self._offer(views.MENU_HINTS)
                case _:
                    self._offer(views.TYPING_HINTS)

    # --- answer and work ------------------------------------------------------------

    def on_question_pane_remark(self, event: QuestionPane.Remark) -> None:
        """An answer that does not do; the question stands."""
        self.say(event.text, alarm=True)

    def on_question_pane_answered(self, event: QuestionPane.Answered) -> None:
        """Take the step."""
        if self._pane is not None and self._pane.is_answered and self._phase is Phase.READING:
            self._work(self._pane.take())

    def _work(self, answer: Answer) -> None:
        conversation = self._conversation
        if conversation is None:
            raise RuntimeError("nothing was begun")
        self._phase = Phase.WORKING
        self._current = Running(self._view, asyncio.get_running_loop().time())
        self._disarm()
        self.body.remove_class("-empty")
        self.remove_class("-code")
        self.body.focus()
        self._poll = self.set_interval(1 / POLL_HZ, self._watch)
        self._watch()
        self.in_background(
            partial(conversation.answer, answer, self._current.progress),
            lambda _none: self._worked(),
            partial(self._work_failed, answer),
        )

    def _watch(self) -> None:
        """Draw the shared counters; the worker never calls in here."""
        now_s = asyncio.get_running_loop().time()
        running = self._current
        self.body.show(lambda layout: running.rows(layout, now_s), at_end=True)
        if self._phase is Phase.WORKING:
            can_cancel = running.can_cancel
            self.say(wording.working(now_s - running.started_at_s, can_cancel=can_cancel))
            self.offer(*(("c cancel",) if can_cancel else ()), "F8 lock")

    def _stop_watching(self) -> None:
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
        self._watch()

    def _worked(self) -> None:
        self._phase = Phase.WORKED
        self._stop_watching()
        if self._wipe_when_idle:
            self._wipe_now()
        if self._current.has_results:
            self._say_where()
        else:
            self._load()

    def _work_failed(self, answer: Answer, error: SignerError) -> None:
        self._stop_watching()
        if isinstance(answer, Secret):
            answer.wipe()
        self._fail(error)

    def _fail(self, error: SignerError) -> None:
        self._phase = Phase.FAILED
        self._disarm()
        if self._wipe_when_idle:
            self._wipe_now()
        self.body.remove_class("-empty")
        self.show_error(error)
        self.body.focus()
        self._say_failed()

    def _say_failed(self) -> None:
        note = wording.rows_note(*self.body.rows_in_view)
        self.say(note or "Read what happened, then decide.", alarm=True)
        begun = self._conversation
        back = ("b back a step",) if begun and begun.can_go_back else ()
        discard = ("d discard",) if begun else ()
        go_on = "Enter read on" if note else "Enter try again"
        self.offer(go_on, *back, *discard, "Esc leave (kept)")

    def _wipe_now(self) -> None:
        """What the lock had to put off."""
        self._wipe_when_idle = False
        self._forget_secrets()
        self.shell.desk.lock()

    def _forget_secrets(self) -> None:
        if self._conversation is not None:
            self._conversation.session.wipe()

    # --- keys -----------------------------------------------------------------------

    def action_go_on(self) -> None:
        """Read on; past the last page, answer what needs only Enter."""
        if self._phase in (Phase.WORKED, Phase.FAILED):
            if self._phase is Phase.FAILED and self.body.more_below:
                self.body.page_down()
            else:
                self._load()
        elif self._phase not in (Phase.READING, Phase.FINISHED):
            return
        elif self.body.more_below:
            self.body.page_down()
        elif not self._is_last_page:
            self._page += 1
            self._show_page()
        elif self._phase is Phase.FINISHED:
            self._leave()
        elif self._pane is not None and isinstance(self._view.question, Proceed):
            self._work("")
        else:
            self._arm_if_read(asked_for=True)

    def action_from_the_start(self) -> None:
        """Read this step again."""
        if self._phase in (Phase.READING, Phase.FINISHED):
            self._page = 0
            self._show_page()

    def action_walk_back(self) -> None:
        """A page back, else a step back."""
        self._walk_back(leave_at_start=False)

    def action_back(self) -> None:
        """A page back, else a step back, else to Home."""
        if self._phase in (Phase.FAILED, Phase.FINISHED):
            self._leave()
        else:
            self._walk_back(leave_at_start=True)

    def _walk_back(self, *, leave_at_start: bool) -> None:
        if self._phase not in (Phase.READING, Phase.FAILED, Phase.FINISHED):
            return
        begun = self._conversation
        if self._phase is not Phase.FAILED and self._page > 0:
            self._page -= 1
            self._show_page()
        elif self._phase is not Phase.FINISHED and begun and begun.can_go_back:
            self._phase = Phase.LOADING
            self._disarm()
            self.in_background(partial(step_back, begun), lambda _none: self._load(), self._fail)
        elif leave_at_start:
            self._leave()
        else:
            self.say("There is no earlier step to return to.", alarm=True)

    def action_cancel(self) -> None:
        """Stop the running work at its next chunk."""
        if not self.is_working:
            return
        if self._current.can_cancel and self._current.progress.cancel():
            self.say("Stopping…")
        else:
            self.say("This can no longer be stopped; it has to finish.", alarm=True)

    def action_discard(self) -> None:
        """Give this work up; asked first."""
        if self._phase not in (Phase.READING, Phase.FAILED):
            return
        if self._conversation is not None and self.app.screen is self:
            self.app.push_screen(
                AskScreen(self.shell, _DISCARD, "Discard it", "Keep it", self._discard)
            )

    def action_note(self) -> None:
        """In a ceremony: note what goes differently from its script (KEY-1)."""
        begun = self._conversation
        is_at_rest = self._phase in (Phase.READING, Phase.WORKED, Phase.FAILED)
        if is_at_rest and begun and begun.is_ceremony and self.app.screen is self:
            noted = partial(self.say, wording.NOTED)
            self.app.push_screen(NoteScreen(self.shell, begun.note, noted))

    def _discard(self) -> None:
        begun = self._conversation
        if begun is None or self._phase not in (Phase.READING, Phase.FAILED):
            return
        self._phase = Phase.LOADING
        self._disarm()
        self.in_background(begun.discard, lambda _none: self._leave(), self._fail)

    def _leave(self) -> None:
        if self._wipe_when_idle:
            self._wipe_now()
        self._forget_secrets()
        self.close_screen()
