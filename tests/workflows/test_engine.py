"""The conversation: on, back, resumed, discarded; never a secret in what is saved (FACE-3).

Every error is completed by what is unchanged (FACE-4).
"""

import json
from collections.abc import Callable

import msgspec
import pytest

from pai_signer.domain.artifact import Record
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.errors import FormatError, MediumError, SignerError, UsageError
from pai_signer.workflows.engine import (
    Answer,
    Choice,
    Confirm,
    Conversation,
    Option,
    Origin,
    Outcome,
    Question,
    SecretText,
    Session,
    Step,
    TypedText,
    Unfinished,
    Workflow,
    check_answer,
    unfinished_work,
)
from pai_signer.workflows.script import MemoryStates

CANARY = b"canary passphrase that no file may hold"


class State(Record, frozen=True, kw_only=True):
    asked_for: str = ""
    name: str = ""
    unlocked: bool = False
    signed: bool = False
    told: bool = False


class AskName(Step[State]):
    id = "name"
    title = "Name"
    unchanged = "No name was taken."

    def __init__(self) -> None:
        self.fails: SignerError | None = None

    def done(self, state: State) -> bool:
        return bool(state.name)

    def pages(self, state: State) -> tuple[Page, ...]:
        return (Page("Who", (Line("is it"),)),)

    def question(self, state: State) -> Question:
        return TypedText("name", "Name")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        if self.fails is not None:
            raise self.fails
        return msgspec.structs.replace(state, name=str(answer))


class AskSecret(Step[State]):
    id = "secret"
    title = "Secret"

    def __init__(self, session: Session) -> None:
        self.session = session

    def done(self, state: State) -> bool:
        return state.signed or "secret" in self.session

    def question(self, state: State) -> Question:
        return SecretText("secret", "Passphrase")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        assert isinstance(answer, Secret)
        self.session.hold("secret", answer)
        return msgspec.structs.replace(state, unlocked=True)


class Sign(Step[State]):
    id = "sign"
    title = "Sign"
    commit_point = True

    def done(self, state: State) -> bool:
        return state.signed

    def question(self, state: State) -> Question:
        return Question("sign")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, signed=True)


class Tell(Sign):
    id = "tell"
    commit_point = False

    def done(self, state: State) -> bool:
        return state.told

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, told=True)


class Play:
    """One workflow over one store; ``begin`` starts or resumes as a new process would."""

    def __init__(self) -> None:
        self.store = MemoryStates()
        self.session = Session()
        self.ask_name = AskName()
        self.discarded: list[State] = []

    def begin(self, asked_for: str = "this") -> Conversation[State]:
        self.session = Session()
        workflow = Workflow(
            name="play",
            key="v1",
            title="A play",
            start=State(asked_for=asked_for),
            steps=(self.ask_name, AskSecret(self.session), Sign(), Tell()),
            outcome=lambda state: Outcome((), {"name": state.name}),
            discard=self.discarded.append,
        )
        return Conversation(workflow, self.store, self.session, Origin("entry", {"a": "b"}))


@pytest.fixture
def play() -> Play:
    return Play()


def secret() -> Secret:
    return Secret(bytearray(CANARY))


def step_of(conversation: Conversation[State]) -> str | None:
    return conversation.step.id if conversation.step else None


def test_it_walks_through_its_steps_and_forgets_itself(play: Play) -> None:
    conversation = play.begin()
    assert conversation.position == (1, 4)
    for answer in ("mia", secret(), "", ""):
        conversation.answer(answer, Progress())
    assert conversation.step is None
    assert conversation.finish().data == {"name": "mia"}
    assert play.store.names() == ()


def test_a_conversation_that_is_not_over_has_no_outcome(play: Play) -> None:
    with pytest.raises(RuntimeError):
        play.begin().finish()


def test_a_conversation_that_is_over_takes_no_answer(play: Play) -> None:
    conversation = play.begin()
    for answer in ("mia", secret(), "", ""):
        conversation.answer(answer, Progress())
    with pytest.raises(RuntimeError):
        conversation.answer("", Progress())


# --- back -----------------------------------------------------------------------------------


def test_one_can_go_back_to_the_start(play: Play) -> None:
    conversation = play.begin()
    assert not conversation.can_go_back
    conversation.answer("mia", Progress())
    held = secret()
    conversation.answer(held, Progress())
    conversation.back()
    assert step_of(conversation) == "secret"
    assert held.is_empty
    conversation.back()
    assert step_of(conversation) == "name"
    assert conversation.state == State(asked_for="this")
    with pytest.raises(UsageError) as error:
        conversation.back()
    assert error.value.code == "FACE-3/no-way-back"
    assert error.value.unchanged


def test_a_passphrase_asked_again_after_a_failure_is_one_step_back(play: Play) -> None:
    conversation = play.begin()
    conversation.answer("mia", Progress())
    for _ in range(3):
        conversation.answer(secret(), Progress())
        play.session.wipe()  # as a step that fails behind it does
        assert step_of(conversation) == "secret"
    conversation.back()
    assert step_of(conversation) == "name"
    assert not conversation.can_go_back


def test_after_the_commit_point_there_is_no_way_back(play: Play) -> None:
    conversation = play.begin()
    for answer in ("mia", secret(), ""):
        conversation.answer(answer, Progress())
    assert not conversation.can_go_back
    with pytest.raises(UsageError):
        conversation.back()
    assert conversation.state.signed


def test_going_back_survives_a_crash(play: Play) -> None:
    conversation = play.begin()
    conversation.answer("mia", Progress())
    conversation.answer(secret(), Progress())
    resumed = play.begin()
    assert step_of(resumed) == "secret"
    resumed.back()
    assert resumed.state == State(asked_for="this")


# --- resume ---------------------------------------------------------------------------------


def test_after_a_crash_the_secret_is_asked_again_and_nothing_else(play: Play) -> None:
    conversation = play.begin()
    conversation.answer("mia", Progress())
    conversation.answer(secret(), Progress())
    assert step_of(conversation) == "sign"
    resumed = play.begin()
    assert resumed.resumed
    assert step_of(resumed) == "secret"
    assert resumed.state.name == "mia"


def test_started_differently_is_not_resumed(play: Play) -> None:
    play.begin("this").answer("mia", Progress())
    other = play.begin("that")
    assert not other.resumed
    assert other.state == State(asked_for="that")
    assert play.begin("this").resumed  # and the first is not lost by looking


def test_what_was_over_is_done_again(play: Play) -> None:
    conversation = play.begin()
    for answer in ("mia", secret(), "", ""):
        conversation.answer(answer, Progress())
    again = play.begin()
    assert not again.resumed
    assert step_of(again) == "name"


def test_the_saved_state_never_holds_a_secret(play: Play) -> None:
    conversation = play.begin()
    for answer in ("mia", secret(), ""):
        conversation.answer(answer, Progress())
        for name in play.store.names():
            assert CANARY not in (play.store.load(name) or b"")
            assert b"canary" not in (play.store.load(name) or b"")
    assert "canary" not in repr(conversation.__dict__)


SPOILED: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-1],
    lambda _data: b"",
    lambda _data: b"null",
    lambda _data: b"[" * 100_000,
    lambda data: data.replace(b'"name"', b'"eman"'),
    lambda data: data.replace(b'"name"', b'"\xff"'),
    lambda data: data.replace(b'"mia"', b"7"),
    lambda data: data.replace(b'"history"', b'"more":1,"history"'),
]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_saved_state_that_cannot_be_read_is_said_and_left_alone(
    play: Play, spoil: Callable[[bytes], bytes]
) -> None:
    play.begin().answer("mia", Progress())
    spoiled = spoil(play.store.load("play.v1") or b"")
    play.store.save("play.v1", spoiled)
    with pytest.raises(FormatError) as error:
        play.begin()
    assert error.value.code == "FACE-3/state"
    assert "play.v1.json" in error.value.hint
    assert error.value.unchanged
    assert play.store.load("play.v1") == spoiled


def test_unfinished_work_is_listed_with_where_it_stands(play: Play) -> None:
    play.begin().answer("mia", Progress())
    play.store.save("broken", b'{"\xff')
    assert unfinished_work(play.store) == (
        Unfinished(Origin(), "broken", "", "broken", "unreadable"),
        Unfinished(Origin("entry", {"a": "b"}), "play", "v1", "A play", "secret"),
    )


def test_discarding_undoes_what_was_prepared_and_forgets(play: Play) -> None:
    conversation = play.begin()
    conversation.answer("mia", Progress())
    conversation.discard()
    assert [state.name for state in play.discarded] == ["mia"]
    assert play.store.names() == ()
    assert not play.begin().resumed


# --- errors -----------------------------------------------------------------------------------


def test_an_error_is_completed_by_what_the_step_leaves_unchanged(play: Play) -> None:
    play.ask_name.fails = MediumError("X/x", "It broke.", "Mend it.")
    conversation = play.begin()
    with pytest.raises(MediumError) as error:
        conversation.answer("mia", Progress())
    assert error.value.unchanged == "No name was taken."
    assert conversation.state == State(asked_for="this")
    assert play.store.names() == ()


def test_an_error_that_knows_better_is_left_as_it_is(play: Play) -> None:
    play.ask_name.fails = MediumError("X/x", "It broke.", "Mend it.", unchanged="All is lost.")
    with pytest.raises(MediumError) as error:
        play.begin().answer("mia", Progress())
    assert error.value.unchanged == "All is lost."


def test_a_bug_leaves_the_state_where_it_was(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> State:
        raise ZeroDivisionError

    conversation = play.begin()
    monkeypatch.setattr(play.ask_name, "act", bug)
    with pytest.raises(ZeroDivisionError):
        conversation.answer("mia", Progress())
    assert conversation.state == State(asked_for="this")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Choice("c", "?", options=(Option("a", "A"),)), "b"),
        (Choice("c", "?", options=(Option("a", "A", "it is not plugged in"),)), "a"),
        (Confirm("c", "?"), "maybe"),
        (Confirm("c", "?"), ""),
        (TypedText("c", "?"), ""),
        (TypedText("c", "?", must_equal="v1.0.0"), "v1.0.1"),
    ],
)
def test_what_does_not_answer_the_question_reaches_no_step(question: Question, answer: str) -> None:
    with pytest.raises(UsageError) as error:
        check_answer(question, answer)
    assert error.value.code == "FACE-1/c"


@pytest.mark.parametrize(
    ("question", "answer"), [(TypedText("c", "?"), secret()), (SecretText("c", "?"), "in clear")]
)
def test_secrets_answer_secret_questions_and_only_those(question: Question, answer: Answer) -> None:
    with pytest.raises(TypeError) as error:
        check_answer(question, answer)
    assert "in clear" not in str(error.value)


# --- the session ------------------------------------------------------------------------------


def test_a_session_wipes_what_it_replaces_and_what_it_forgets() -> None:
    session, first, second = Session(), secret(), secret()
    session.hold("key", first)
    session.hold("key", second)
    assert first.is_empty
    session.note("clock")
    session.wipe()
    assert second.is_empty
    assert "key" not in session
    assert "clock" not in session


def test_a_secret_that_was_lent_for_a_use_that_failed_is_asked_again() -> None:
    session, held = Session(), secret()
    session.hold("key", held)
    with session.lending("key"):
        pass
    assert "key" in session
    with pytest.raises(ZeroDivisionError), session.lending("key"):
        raise ZeroDivisionError
    assert "key" not in session
    assert held.is_empty


def test_a_secret_is_wiped_when_its_step_fails(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the step did with it: a wrong passphrase is of no further use (SEC-2)."""
    conversation = play.begin()
    conversation.answer("mia", Progress())

    def fail(*_: object) -> None:
        raise UsageError("TEST/wrong", "It is wrong.", "Type it again.")

    monkeypatch.setattr(AskSecret, "act", fail)
    typed = secret()
    with pytest.raises(UsageError, match="wrong"):
        conversation.answer(typed, Progress())
    assert typed.is_empty


def test_a_session_shows_no_secret() -> None:
    session = Session()
    session.hold("key", secret())
    assert "canary" not in repr(session)


def test_the_saved_form_is_plain_json(play: Play) -> None:
    play.begin().answer("mia", Progress())
    saved = json.loads(play.store.load("play.v1") or b"")
    assert saved["origin"] == {"entry": "entry", "arguments": {"a": "b"}}
    assert saved["state"]["name"] == "mia"
