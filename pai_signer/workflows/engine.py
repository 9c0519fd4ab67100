"""A workflow is a conversation, written once and rendered by every face.

A workflow is a row of steps over a frozen state record. The *current* step is
the first one that the state does not call done; so walking on, walking back
and resuming after a crash are the same thing: look at the state. The state is
saved after each step and never holds a secret; secrets live in a ``Session``
that exists only in memory, and a step that needs one asks again after a crash.

Faces know only this module's types: they draw pages, put the question, and
hand the answer back (FACE-1). There is no logic in a face.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from pai_signer.domain.page import Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import Cancelled, FormatError, SignerError, UsageError
from pai_signer.ports import Passphrases, StateStore

YES: Final = "yes"
NO: Final = "no"


class Actor(Enum):
    """Who acts in a step."""

    MAINTAINER = "maintainer"
    SECOND_MAINTAINER = "second maintainer"
    WITNESS = "witness"


@dataclass(frozen=True)
class Question:
    """Asks for nothing but going on; the base of all questions.

    ``name`` is what flags, scripts of answers and tests call it by. Where nobody
    is there to answer (flags only, no terminal) ``default`` is the answer, else
    ``refusal`` is raised.
    """

    name: str
    prompt: str = ""
    default: str | None = None
    refusal: SignerError | None = None


@dataclass(frozen=True)
class Proceed(Question):
    """Read the pages, then press Enter. Flags alone go on without asking."""


@dataclass(frozen=True)
class Automatic(Question):
    """No question: the work starts by itself as soon as the step is reached."""


@dataclass(frozen=True)
class Option:
    """One menu line; one that cannot be chosen stays visible and says why."""

    value: str
    label: str
    unavailable_because: str = ""


@dataclass(frozen=True)
class Choice(Question):
    """Pick one of the options by its number."""

    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Confirm(Question):
    """Yes or no."""


@dataclass(frozen=True)
class TypedText(Question):
    """Type text; where ``must_equal`` is set, exactly that (REV-2).

    ``may_be_empty`` says what an empty line means is up to the step.
    """

    must_equal: str | None = None
    may_be_empty: bool = False


@dataclass(frozen=True)
class SecretText(Question):
    """Type a passphrase; ``twice`` for a new one.

    Where ``new`` is set, a face with a screen of its own shows ``new.offer()`` to be written
    on paper while the question is open, and any answer has to pass ``new.check`` (KEY-1).
    """

    twice: bool = False
    new: Passphrases | None = None


Answer = str | Secret


class Wipeable(Protocol):
    """Something in memory that holds a secret."""

    def wipe(self) -> None:
        """Overwrite it."""


@dataclass
class Session:
    """Secrets, unlocked keys and other facts of one sitting; in memory only, never saved.

    Notes are facts that must not outlive the sitting either: that the clock was
    confirmed, that a folder was scanned.
    """

    _held: dict[str, Wipeable] = field(default_factory=dict, repr=False)
    _notes: set[str] = field(default_factory=set)

    def hold(self, name: str, thing: Wipeable) -> None:
        """Keep ``thing``, wiping what was there under that name."""
        self.drop(name)
        self._held[name] = thing

    def note(self, name: str) -> None:
        """Remember a fact until ``wipe``."""
        self._notes.add(name)

    def forget(self, name: str) -> None:
        """Take a note back."""
        self._notes.discard(name)

    def __contains__(self, name: str) -> bool:
        return name in self._held or name in self._notes

    def take(self, name: str) -> Wipeable:
        """What is held under ``name``; it stays held until ``wipe``."""
        return self._held[name]

    def drop(self, name: str) -> None:
        """Wipe what is held under ``name``; nothing there is fine."""
        held = self._held.pop(name, None)
        if held is not None:
            held.wipe()

    @contextmanager
    def lending(self, name: str) -> Iterator[Wipeable]:
        """Lend what is held for one use; if that fails, forget it, so that it is asked again."""
        try:
            yield self._held[name]
        except BaseException:
            self._held.pop(name).wipe()
            raise

    def wipe(self) -> None:
        """Forget everything: at the end, on lock and when a signing failed."""
        for thing in self._held.values():
            thing.wipe()
        self._held.clear()
        self._notes.clear()


S = TypeVar("S", bound=msgspec.Struct)


class Step(ABC, Generic[S]):
    """One move of the conversation.

    ``unchanged`` is what stays true if the step fails; it completes every
    error that the step raises (FACE-4). A ``commit_point`` cannot be walked
    back over (FACE-3).
    """

    #: Of the class, or of one of several steps of a class in one workflow.
    id: str
    title: str
    actor: Actor = Actor.MAINTAINER
    unchanged: str = "Nothing was signed and no file was changed."
    #: What a ceremony's printed script says below the title, and what is filled in by hand.
    in_script: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()
    commit_point: ClassVar[bool] = False

    @abstractmethod
    def done(self, state: S) -> bool:
        """Whether the conversation has this step behind it."""

    def pages(self, state: S) -> Sequence[Page]:
        """What to read, one page at a time, before the question is put."""
        return ()

    @abstractmethod
    def question(self, state: S) -> Question:
        """What is asked after the last page."""

    @abstractmethod
    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        """Do it, and return the next state; may take long and may raise."""


class Recorder(Protocol[S]):
    """Keeps the record of a conversation that is a ceremony, in its state (KEY-1)."""

    def taken(self, state: S, step: Step[S], question: Question, answer: Answer) -> S:
        """``state`` with the step that led to it recorded; never with a secret."""

    def noted(
        self, state: S, step: Step[S] | None, *, expected: str, happened: str, decided: str
    ) -> S:
        """``state`` with something that did not go as the script says."""

    def failed(self, state: S, step: Step[S], error: SignerError) -> S:
        """``state`` with an attempt at ``step`` recorded that came to nothing."""

    def returned(self, earlier: S, current: S) -> S:
        """``earlier``, walked back to, with all that was recorded since: it did happen."""


@dataclass(frozen=True)
class Outcome:
    """What a finished conversation has to say: for people, and for ``--json``."""

    pages: tuple[Page, ...]
    data: Mapping[str, Any]
    #: Raised by the command line after the outcome was shown, for its exit code.
    refusal: SignerError | None = None


@dataclass(frozen=True)
class Workflow(Generic[S]):
    """Steps over a state; ``name`` and ``key`` name the saved state of one run."""

    name: str
    key: str
    title: str
    start: S
    steps: tuple[Step[S], ...]
    outcome: Callable[[S], Outcome]
    #: Undo what the steps prepared; called when the operator discards.
    discard: Callable[[S], None] = lambda _state: None
    #: Where the workflow is a ceremony: what keeps its transcript.
    recorder: Recorder[S] | None = None

    @property
    def saved_as(self) -> str:
        """The name of the saved state: the same for the same piece of work."""
        return f"{self.name}.{self.key}" if self.key else self.name


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a run was begun, so that it can be begun again: catalogue entry and arguments."""

    entry: str = ""
    arguments: dict[str, str] = msgspec.field(default_factory=dict)


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The saved form of a conversation."""

    origin: Origin
    workflow: str
    key: str
    title: str
    step: str
    start: msgspec.Raw
    state: msgspec.Raw
    history: tuple[msgspec.Raw, ...]


class Conversation(Generic[S]):
    """One run of a workflow: where it stands, and how it moves."""

    def __init__(
        self,
        workflow: Workflow[S],
        store: StateStore,
        session: Session,
        origin: Origin | None = None,
    ) -> None:
        """Resume a saved run that began in the same way, or start anew."""
        session.wipe()
        self._origin = origin or Origin()
        self.workflow = workflow
        self.session = session
        self._store = store
        self._state = workflow.start
        self._history: tuple[S, ...] = ()
        self.resumed = self._load()

    @property
    def state(self) -> S:
        """The state as it stands."""
        return self._state

    @property
    def step(self) -> Step[S] | None:
        """The step to take now; None when all are done."""
        return next((s for s in self.workflow.steps if not s.done(self._state)), None)

    @property
    def position(self) -> tuple[int, int]:
        """Number of the current step, from 1, and the count of steps."""
        steps = self.workflow.steps
        step = self.step
        return (len(steps) if step is None else steps.index(step) + 1), len(steps)

    def answer(self, answer: Answer, progress: Progress) -> None:
        """Take the current step. A failure leaves the state where it was."""
        step = self.step
        if step is None:
            raise RuntimeError("the conversation is over")
        with self.explaining(step):
            question = step.question(self._state)
            check_answer(question, answer)
            try:
                following = step.act(self._state, answer, progress)
            except BaseException as error:
                if isinstance(answer, Secret):  # a step that failed keeps nothing of it (SEC-2)
                    answer.wipe()
                self._record_failure(step, error)
                raise
            if self.workflow.recorder is not None:
                following = self.workflow.recorder.taken(following, step, question, answer)
        self._history = () if step.commit_point else (*self._history, self._state)
        self._state = following
        self._save()

    def _record_failure(self, step: Step[S], error: BaseException) -> None:
        """In a ceremony a failed attempt is on record, as a comparison that differed is."""
        recorder = self.workflow.recorder
        was_mistyped = isinstance(error, UsageError | Cancelled)
        if recorder is not None and isinstance(error, SignerError) and not was_mistyped:
            self._state = recorder.failed(self._state, step, error)
            with suppress(SignerError):  # a full disk may be the very failure
                self._save()

    @staticmethod
    @contextmanager
    def explaining(step: Step[S]) -> Iterator[None]:
        """Complete every error raised inside by what ``step`` leaves unchanged (FACE-4)."""
        try:
            yield
        except SignerError as error:
            if error.unchanged is None:
                error.unchanged = step.unchanged
            raise

    @property
    def is_ceremony(self) -> bool:
        """Whether a record is kept of it, in which exceptions can be noted (KEY-1)."""
        return self.workflow.recorder is not None

    @property
    def can_go_back(self) -> bool:
        """False at the start and after a point of no return."""
        return bool(self._history)

    def back(self) -> None:
        """Return to the state before the last step; what was asked is asked again."""
        if not self._history:
            raise UsageError(
                "FACE-3/no-way-back",
                "There is no earlier step to return to.",
                "Go on, or discard.",
                unchanged="Nothing was changed.",
            )
        leaving = self.step
        self.session.wipe()
        while self._history:
            *rest, earlier = self._history
            if self.workflow.recorder is not None:
                earlier = self.workflow.recorder.returned(earlier, self._state)
            self._state = earlier
            self._history = tuple(rest)
            # A passphrase that was asked again after a failure is one step, however often.
            if self.step is not leaving or not self._asks_secret():
                break
        self._save()

    def _asks_secret(self) -> bool:
        step = self.step
        return step is not None and isinstance(step.question(self._state), SecretText)

    def note(self, *, expected: str, happened: str, decided: str) -> None:
        """Note that something went differently from a ceremony's script (KEY-1).

        ``UsageError`` where a text is missing, or where no record is kept.
        """
        if self.workflow.recorder is None:
            raise UsageError(
                "KEY-1/no-ceremony",
                "This is no ceremony: it keeps no record of exceptions.",
                "Go on, go back, or discard.",
                unchanged="Nothing was changed.",
            )
        self._state = self.workflow.recorder.noted(
            self._state, self.step, expected=expected, happened=happened, decided=decided
        )
        self._save()

    def discard(self) -> None:
        """Give up this run: undo what it prepared and forget its state."""
        self.session.wipe()
        self.workflow.discard(self._state)
        self._store.delete(self.workflow.saved_as)

    def finish(self) -> Outcome:
        """The result of a finished run; forgets its saved state and its secrets."""
        if self.step is not None:
            raise RuntimeError("the conversation is not over")
        self.session.wipe()
        outcome = self.workflow.outcome(self._state)
        self._store.delete(self.workflow.saved_as)
        return outcome

    def _save(self) -> None:
        step = self.step
        saved = _Saved(
            origin=self._origin,
            workflow=self.workflow.name,
            key=self.workflow.key,
            title=self.workflow.title,
            step=step.id if step else "",
            start=msgspec.Raw(msgspec.json.encode(self.workflow.start)),
            state=msgspec.Raw(msgspec.json.encode(self._state)),
            history=tuple(msgspec.Raw(msgspec.json.encode(old)) for old in self._history),
        )
        self._store.save(self.workflow.saved_as, msgspec.json.encode(saved))

    def _load(self) -> bool:
        data = self._store.load(self.workflow.saved_as)
        if data is None:
            return False
        kind = type(self.workflow.start)
        try:
            saved = msgspec.json.decode(data, type=_Saved)
            if msgspec.json.decode(saved.start, type=kind) != self.workflow.start:
                return False  # asked for something else: another folder, another visit
            state = msgspec.json.decode(saved.state, type=kind)
            over = all(step.done(state) for step in self.workflow.steps)
            if over and self.workflow.recorder is None:
                return False  # it was over: asked for again, it is done again
            # A ceremony that was killed at its very end only shows its outcome: it makes no
            # second key because somebody was not told of the first.
            self._state = state
            self._history = tuple(msgspec.json.decode(old, type=kind) for old in saved.history)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise FormatError(
                "FACE-3/state",
                f"The saved state of {self.workflow.title!r} cannot be read: "
                f"{safe_text(str(error), limit=300)}.",
                f"Remove {self.workflow.saved_as}.json from the vault's folder 'unfinished', then "
                "start again.",
                unchanged="Nothing was changed.",
            ) from error
        return True


def check_answer(question: Question, answer: Answer) -> None:
    """Refuse an answer that is not one to this question, before any step sees it.

    ``UsageError``, or ``PolicyRefused`` for a new passphrase that is too weak.
    """
    if isinstance(question, SecretText) != isinstance(answer, Secret):
        raise TypeError("secrets answer secret questions, and only those")
    match question:
        case SecretText(new=new) if isinstance(answer, Secret):
            if new is not None:
                new.check(answer)
        case Choice(options=options):
            option = next((o for o in options if o.value == answer), None)
            if option is None:
                raise _not_an_answer(question, "It is not one of the choices.")
            if option.unavailable_because:
                raise _not_an_answer(question, option.unavailable_because)
        case Confirm() if answer not in (YES, NO):
            raise _not_an_answer(question, "Answer yes or no.")
        case TypedText(must_equal=str() as expected) if answer != expected:
            raise _not_an_answer(question, f"It has to be exactly {expected!r}.")
        case TypedText(may_be_empty=False) if not answer:
            raise _not_an_answer(question, "It may not be empty.")
        case _:
            pass


def _not_an_answer(question: Question, why: str) -> UsageError:
    return UsageError(f"FACE-1/{question.name}", f"That does not answer: {question.prompt}", why)


class Unfinished(msgspec.Struct, frozen=True):
    """A saved run that can be resumed, for the Home screen (FACE-3)."""

    origin: Origin
    workflow: str
    key: str
    title: str
    step: str


def unfinished_work(store: StateStore) -> tuple[Unfinished, ...]:
    """Every saved run, by name; one that cannot be read is listed by its file name."""
    found = []
    for name in store.names():
        data = store.load(name)
        try:
            found.append(msgspec.json.decode(data or b"", type=Unfinished))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            found.append(Unfinished(Origin(), name, "", name, "unreadable"))
    return tuple(found)
