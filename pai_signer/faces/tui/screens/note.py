"""Note what goes differently from a ceremony's script, at any of its steps (KEY-1)."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from pai_signer.domain.page import Line, Page
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.question import QuestionPane
from pai_signer.workflows.engine import TypedText
from pai_signer.workflows.script import NOTE_QUESTIONS


class NoteScreen(Frame):
    """Asks for the three parts of an exception; none is noted where one is withheld."""

    HELP_PAGE: ClassVar[Page] = Page(
        "Note an exception",
        hints(
            ("Enter", "the next of the three texts; after the last, it is noted"),
            ("Esc", "back to the step; nothing is noted"),
        ),
    )

    def __init__(
        self, shell: Shell, note: Callable[..., None], on_noted: Callable[[], None]
    ) -> None:
        """``note`` takes the texts by the names in ``NOTE_QUESTIONS``, in a thread."""
        super().__init__(shell)
        self._note = note
        self._on_noted = on_noted
        self._texts: dict[str, str] = {}
        self._pane: QuestionPane | None = None

    def on_mount(self) -> None:
        """Ask for the first text."""
        self.entitle("Note an exception")
        self.offer("Enter done", "Ctrl+U clear", "Esc back")
        self._ask_next()

    def on_question_pane_remark(self, event: QuestionPane.Remark) -> None:
        """An answer that does not do; the question stands."""
        self.say(event.text, alarm=True)

    def on_question_pane_answered(self, event: QuestionPane.Answered) -> None:
        """Keep the text and ask for the next."""
        pane, self._pane = self._pane, None
        if pane is None or not pane.is_answered:
            return
        self._texts[pane.question.name] = str(pane.take())
        pane.remove()
        self._ask_next()

    def _ask_next(self) -> None:
        said = [Line(self._texts[name], label=NOTE_QUESTIONS[name]) for name in self._texts]
        page = Page("What goes differently from the script", tuple(said))
        self.body.show(lambda layout: layout.page(page))
        name = next((name for name in NOTE_QUESTIONS if name not in self._texts), None)
        if name is None:
            self.say(wording.ONE_MOMENT)
            self.in_background(partial(self._note, **self._texts), self._noted, self._failed)
            return
        self.say("")
        question = TypedText(name, NOTE_QUESTIONS[name])
        self._pane = QuestionPane(question, "", lat15=self.shell.look.lat15)
        self.ask.mount(self._pane)

    def _noted(self, _none: None) -> None:
        self.close_screen()
        self._on_noted()

    def _failed(self, error: SignerError) -> None:
        self.show_error(error)
        self.say("Nothing was noted.", alarm=True)
