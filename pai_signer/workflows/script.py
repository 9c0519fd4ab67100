"""Plays a conversation to its end: from flags, from a script of answers, or by asking.

The command line, the headless rehearsal and the tests all go through ``play``;
they differ only in the ``Speaker`` that shows pages and asks.
"""

import enum
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeVar

import msgspec

from pai_signer.domain.page import Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.errors import Cancelled, SignerError, UsageError
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Conversation,
    Outcome,
    Proceed,
    Question,
    Step,
    TypedText,
)

S = TypeVar("S", bound=msgspec.Struct)

#: The code of the error for a passphrase that does not open its key.
TYPED_WRONG: Final = "KEY-1/wrong-passphrase"
#: And of a new one that is too weak.
TYPED_WEAK: Final = "KEY-1/weak-passphrase"
#: Of a custodian's that opens something else already.
TYPED_ALIKE: Final = "CUS-1/same-passphrase"


class Move(enum.Enum):
    """What can be said instead of an answer."""

    BACK = "back"
    DISCARD = "discard"
    #: Note an exception; only a ceremony keeps a record of them.
    NOTE = "note"


class Speaker(Protocol):
    """How the pages of a conversation reach a person, and answers come back."""

    def show(
        self, conversation: Conversation[Any], step: Step[Any], pages: tuple[Page, ...]
    ) -> None:
        """Show the pages of a step before its question."""

    def ask(self, question: Question) -> Answer | Move | None:
        """Put the question; None where nobody is there."""

    def asks_again(self, error: SignerError) -> bool:
        """Whether a person is there who was told of ``error`` and answers anew."""

    def working(self, step: Step[Any], progress: Progress) -> AbstractContextManager[None]:
        """Show progress while the step works."""


def play(conversation: Conversation[S], answers: Mapping[str, Answer], speaker: Speaker) -> Outcome:
    """Walk through every step and return the outcome.

    An answer comes from ``answers`` by the question's name, else from the
    speaker, else from the question's default, else its refusal is raised.
    """
    shown: str | None = None
    while (step := conversation.step) is not None:
        with conversation.explaining(step):
            if shown != step.id:
                speaker.show(conversation, step, tuple(step.pages(conversation.state)))
                shown = step.id
            question = step.question(conversation.state)
            answer = _answer(conversation, question, answers, speaker)
        if answer is Move.BACK:
            shown = _back(conversation, step, speaker)
            continue
        if answer is Move.NOTE:
            try:
                _note(conversation, speaker)
            except UsageError as error:
                if not speaker.asks_again(error):
                    raise
            continue
        if isinstance(answer, Move):
            conversation.discard()
            raise Cancelled(
                "FACE-3/discarded",
                f"Discarded: {conversation.workflow.title}.",
                "Start again when you are ready.",
                unchanged="Nothing was signed.",
            )
        progress = Progress()
        try:
            with speaker.working(step, progress):
                conversation.answer(answer, progress)
        except SignerError as error:
            if not (_is_slip(error, question, answers) and speaker.asks_again(error)):
                raise
    return conversation.finish()


def _back(conversation: Conversation[S], step: Step[S], speaker: Speaker) -> str | None:
    """Go one step back; the step whose pages need not be shown again, if that is not possible."""
    try:
        conversation.back()
    except UsageError as error:
        if not speaker.asks_again(error):
            raise
        return step.id
    return None


#: What a noted exception consists of (KEY-1).
NOTE_QUESTIONS: Final = {
    "expected": "What was expected",
    "happened": "What happened instead",
    "decided": "What was decided",
}


def _note(conversation: Conversation[Any], speaker: Speaker) -> None:
    """Ask for the three parts of an exception; none is noted where one of them is withheld."""
    if not conversation.is_ceremony:
        conversation.note(expected="", happened="", decided="")
    texts = {}
    for name, prompt in NOTE_QUESTIONS.items():
        said = speaker.ask(TypedText(name, prompt))
        if not isinstance(said, str):
            return
        texts[name] = said
    conversation.note(**texts)


def _is_slip(error: SignerError, question: Question, answers: Mapping[str, Answer]) -> bool:
    """A typing error, as opposed to a refusal: nothing happened, and it can be typed again."""
    if error.code == TYPED_WRONG:
        return not any(isinstance(answer, Secret) for answer in answers.values())
    was_typed = question.name not in answers and not isinstance(question, Automatic)
    # What was misheard or mistyped in a comparison is read aloud and typed once more (REV-1).
    is_typing = isinstance(error, UsageError) or error.code in (TYPED_WEAK, TYPED_ALIKE)
    return was_typed and (is_typing or error.code.startswith("REV-1/"))


def _answer(
    conversation: Conversation[S],
    question: Question,
    answers: Mapping[str, Answer],
    speaker: Speaker,
) -> Answer | Move:
    if question.name in answers:
        return answers[question.name]
    if isinstance(question, Automatic):
        return ""
    said = speaker.ask(question)
    if said is not None:
        return said
    if isinstance(question, Proceed):
        return ""
    if question.default is not None:
        return question.default
    raise question.refusal or UsageError(
        "FACE-1/unanswered",
        f"{conversation.workflow.title} needs an answer: {question.prompt} ({question.name})",
        "Give it by its option, or run in a terminal to be asked.",
    )


class MemoryStates:
    """A ``StateStore`` that forgets: for what is not worth resuming, and for tests."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}

    def load(self, name: str) -> bytes | None:
        """The saved bytes, or None."""
        return self._states.get(name)

    def save(self, name: str, data: bytes) -> None:
        """Keep ``data`` under ``name``."""
        self._states[name] = data

    def delete(self, name: str) -> None:
        """Forget it."""
        self._states.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._states))
