"""A conversation as the screen needs it: fetched in a thread, free of Textual."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pai_signer.domain.page import Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.faces import wording
from pai_signer.faces.rows import Layout, Row
from pai_signer.workflows.engine import Automatic, Conversation, Outcome, Question, Step

FINISHED_HINTS: Final = ("Enter go on", "b back", "r from the start")
READING_HINTS: Final = ("Enter next", "b back", "r from the start", "d discard")
END_HINTS: Final = ("Enter what is asked", "b back", "r from the start", "d discard")
PROCEED_HINTS: Final = ("Enter go on", "b back", "r from the start", "d discard")
MENU_HINTS: Final = ("digit or Enter picks", "b back", "d discard", "F5 rescan", "Esc back")
TYPING_HINTS: Final = ("Enter done", "Ctrl+U clear", "Tab to the page", "Esc back")
#: Beside a QR code, which has the whole screen but for the title row.
CODE_KEYS: Final = ("n, Space next   p back   F1 help",)
PLAIN_CODE_KEYS: Final = (*CODE_KEYS, "i the other way round")


@dataclass(frozen=True)
class View:
    """A step as it stands, or, where ``step`` is None, the outcome."""

    pages: Sequence[Page] = ()
    title: str = ""
    step: Step[Any] | None = None
    question: Question | None = None

    @property
    def is_automatic(self) -> bool:
        """Whether the work starts by itself."""
        return isinstance(self.question, Automatic)

    @property
    def warning(self) -> str:
        """What to know before answering."""
        return wording.NO_WAY_BACK if self.step is not None and self.step.commit_point else ""


def fetch_view(conversation: Conversation[Any]) -> View:
    """The current step with its pages and its question; at the end, the outcome."""
    title, step = conversation.workflow.title, conversation.step
    if step is None:
        return View(_outcome_pages(conversation.finish()), title)
    state = conversation.state
    return View(
        tuple(step.pages(state)),
        wording.step_title(title, step.title, conversation.position),
        step,
        step.question(state),
    )


def step_back(conversation: Conversation[Any]) -> None:
    """To the last step that asks something: an automatic one would only run again."""
    conversation.back()
    while conversation.can_go_back and (step := conversation.step) is not None:
        if not isinstance(step.question(conversation.state), Automatic):
            break
        conversation.back()


def _outcome_pages(outcome: Outcome) -> tuple[Page, ...]:
    """The outcome's pages; a refusal that came with it is the last one."""
    if outcome.refusal is None:
        return outcome.pages
    return (*outcome.pages, wording.error_page(outcome.refusal))


@dataclass(frozen=True)
class Running:
    """A step that is being taken in a thread; ``started_at_s`` is the event loop's time."""

    view: View
    started_at_s: float
    progress: Progress = field(default_factory=Progress)

    @property
    def can_cancel(self) -> bool:
        """False at a commit point, and once the work itself forbids it."""
        at_commit_point = self.view.step is not None and self.view.step.commit_point
        return self.progress.snapshot().can_cancel and not at_commit_point

    @property
    def has_results(self) -> bool:
        """Whether it left marked lines, which somebody should have time to read."""
        return any(line.mark is not Mark.NONE for line in self.progress.snapshot().lines)

    def rows(self, layout: Layout, now_s: float) -> Sequence[Row]:
        """Bars and lines, under the page of a step that started by itself."""
        rows: list[Row] = []
        for page in self.view.pages[:1] if self.view.is_automatic else ():
            rows += [*layout.heading(page.title), Row(""), *layout.lines(page.lines)]
            rows += [Row("")] if page.lines else []
        elapsed_s = now_s - self.started_at_s
        return (*rows, *wording.progress_rows(self.progress.snapshot(), elapsed_s, layout))
