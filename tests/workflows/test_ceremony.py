"""The frame of a ceremony: what is probed, asked, recorded and stored (KEY-1)."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.ceremony import (
    SECRET_ANSWER,
    TRANSCRIPT_NAME,
    Transcript,
    digest_groups,
    parse_transcript,
)
from pai_signer.domain.host import Interface
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.domain.words import to_words
from pai_signer.errors import DigestMismatch, PolicyRefused, SignerError, UsageError
from pai_signer.workflows.ceremony.closing import closing
from pai_signer.workflows.ceremony.comparing import CompareKey
from pai_signer.workflows.ceremony.frame import (
    TRANSCRIPT_TEXT,
    CeremonyState,
    Plan,
    ScriptState,
    TranscriptRecorder,
    print_script,
)
from pai_signer.workflows.ceremony.opening import opening
from pai_signer.workflows.engine import (
    NO,
    Answer,
    Conversation,
    Outcome,
    Question,
    SecretText,
    Session,
    Step,
    Workflow,
)
from pai_signer.workflows.script import MemoryStates, Move, play
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import OFFLINE, FakeHost, ShiftedClock, Silent, events, new_vault, opened

DIGEST: Final = "00112233445566778899aabbccddeeff" * 2
PLAN: Final = Plan(
    name="toy", title="A toy ceremony", purpose="To play.", command="toy", materials=("paper",)
)


class ToyState(CeremonyState, frozen=True, kw_only=True):
    """The frame and one secret."""

    told: bool = False


class _Tell(Step[ToyState]):
    id = "tell"
    title = "Tell a secret"
    commit_point = True

    def done(self, state: ToyState) -> bool:
        return state.told

    def question(self, state: ToyState) -> Question:
        return SecretText("secret", "The secret")

    def act(self, state: ToyState, answer: Answer, progress: Progress) -> ToyState:
        return msgspec.structs.replace(state, told=True)


def toy(bench: Workbench) -> Workflow[ToyState]:
    before: tuple[Step[ToyState], ...] = opening(bench, PLAN)
    compare: Step[ToyState] = CompareKey(bench, "toy key", lambda _: DIGEST)
    after: tuple[Step[ToyState], ...] = closing(bench, PLAN)
    recorder: TranscriptRecorder[ToyState] = TranscriptRecorder(bench.clock)
    return Workflow(
        name="toy",
        key="",
        title=PLAN.title,
        start=ToyState(),
        steps=(*before, compare, _Tell(), *after),
        outcome=lambda _: Outcome((), {}),
        recorder=recorder,
    )


def a_secret() -> dict[str, Answer]:
    return {"secret": Secret(bytearray(b"canary"))}


@dataclasses.dataclass
class Typist(Silent):
    """Says one thing for each question by name, in turn."""

    says: dict[str, list[Answer | Move]] = dataclasses.field(default_factory=dict)
    told: list[str] = dataclasses.field(default_factory=list)

    def ask(self, question: Question) -> Answer | Move | None:
        left = self.says.get(question.name)
        return left.pop(0) if left else None

    def asks_again(self, error: SignerError) -> bool:
        self.told.append(error.code)
        return True


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with opened(new_vault(tmp_path / "vault")) as bench:
        yield bench


def conversation(bench: Workbench) -> Conversation[ToyState]:
    return Conversation(toy(bench), MemoryStates(), Session())


def hold(
    bench: Workbench, answers: Mapping[str, Answer] | None = None, speaker: Silent | None = None
) -> Transcript:
    """Play the toy ceremony; its stored transcript."""
    play(conversation(bench), {**a_secret(), **(answers or {})}, speaker or Silent())
    return stored(bench)


def stored(bench: Workbench) -> Transcript:
    (name,) = bench.ceremonies.names()
    return parse_transcript(bench.ceremonies.load(name)[TRANSCRIPT_NAME])


def now_typed(shift: timedelta = timedelta()) -> str:
    return f"{datetime.now(UTC) + shift:%Y-%m-%d %H:%M}"


# --- flags alone ---------------------------------------------------------------------------


def test_flags_alone_play_it_and_what_nobody_did_is_recorded_as_not_done(bench: Workbench) -> None:
    t = hold(bench)
    assert [p.name for p in t.participants] == ["Mia Maintainer"]
    assert t.verdict is None
    assert t.comparisons == ()
    not_compared = [p.name for p in t.preconditions if p.text == "not compared"]
    assert not_compared == ["clock of the maintainer", "clock of the second maintainer"]
    assert [e.happened for e in t.exceptions] == ["not compared"]
    assert events(bench)[-1] == "ceremony.ended"
    facts = bench.journal.entries()[-1].facts
    assert facts["witness"] == "none"
    assert facts["exceptions"] == 1


def test_the_journal_pins_the_stored_transcript_in_both_forms(bench: Workbench) -> None:
    t = hold(bench)
    files = bench.ceremonies.load(t.ceremony)
    digest = hashlib.sha256(files[TRANSCRIPT_NAME]).hexdigest()
    assert bench.journal.entries()[-1].facts["transcript_sha256"] == digest
    assert b"CEREMONY TRANSCRIPT" in files[TRANSCRIPT_TEXT]
    assert t.journal_at_end is not None
    assert t.journal_at_end.hash == bench.journal.entries()[-2].hash


def test_no_secret_stands_in_state_or_transcript(bench: Workbench) -> None:
    states = MemoryStates()
    talk = Conversation(toy(bench), states, Session())
    while (step := talk.step) is not None and step.id != "tell":
        talk.answer(step.question(talk.state).default or "", Progress())
    talk.answer(Secret(bytearray(b"canary")), Progress())
    assert b"canary" not in (states.load("toy") or b"")
    told = [s for s in talk.state.taken if s.id == "tell"]
    assert [s.answer for s in told] == [SECRET_ANSWER]
    assert told[0].point_of_no_return


# --- people --------------------------------------------------------------------------------


PEOPLE: Final = {"second": "Ben", "witness": "Wim"}


@pytest.mark.parametrize("typed", [DIGEST.upper(), " ".join(digest_groups(DIGEST)), "words"])
def test_what_is_typed_is_compared_in_full(bench: Workbench, typed: str) -> None:
    text = " ".join(to_words(bytes.fromhex(DIGEST))) if typed == "words" else typed
    t = hold(bench, {**PEOPLE, "compare": text, "verdict": "accept"})
    (compared,) = t.comparisons
    assert (compared.read_by, compared.typed_by) == ("Mia Maintainer", "Ben")
    assert "".join(compared.groups) == DIGEST
    assert t.verdict is not None
    assert t.verdict.accepts


def test_a_wrong_key_stops_it_before_the_point_of_no_return(bench: Workbench) -> None:
    talk = conversation(bench)
    with pytest.raises(DigestMismatch) as caught:
        play(talk, {**a_secret(), "compare": DIGEST[:-1] + "0"}, Silent())
    assert caught.value.unchanged == "The registry was not changed: the new key is not in use."
    assert talk.step is not None
    assert talk.step.id == "compare"
    assert bench.ceremonies.names() == ()


def test_a_person_who_misheard_types_it_again(bench: Workbench) -> None:
    speaker = Typist(says={"compare": [DIGEST[:-1] + "0", DIGEST]})
    t = hold(bench, speaker=speaker)
    assert len(t.comparisons) == 1
    assert speaker.told == ["REV-1/compared"]
    (differed,) = t.exceptions
    assert differed.step == "compare"
    assert differed.happened.startswith("REV-1/compared: What was typed is not the toy key")
    assert differed.decided == "this attempt does not count"


def test_a_failed_attempt_is_on_record_after_a_crash(bench: Workbench) -> None:
    states = MemoryStates()
    for _ in range(2):
        talk = Conversation(toy(bench), states, bench.session)
        with pytest.raises(DigestMismatch):
            play(talk, {**a_secret(), "compare": DIGEST[:-1] + "0"}, Silent())
    talk = Conversation(toy(bench), states, bench.session)
    assert [e.step for e in talk.state.exceptions if "REV-1" in e.happened] == ["compare"] * 2
    assert talk.step is not None
    assert talk.step.id == "compare"


def test_a_mistyped_answer_is_nobodys_failure(bench: Workbench) -> None:
    talk = conversation(bench)
    with pytest.raises(UsageError):
        play(talk, {**PEOPLE, "verdict": "disagree", **a_secret()}, Silent())
    assert all("disagree" not in e.happened for e in talk.state.exceptions)


def test_the_witness_disagrees_only_with_a_reason(bench: Workbench) -> None:
    disagree = {**PEOPLE, "verdict": "disagree", **a_secret()}
    talk = conversation(bench)
    with pytest.raises(UsageError):
        play(talk, disagree, Silent())
    play(talk, {**disagree, "verdict-reason": "Ben left the room"}, Silent())
    verdict = stored(bench).verdict
    assert verdict is not None
    assert (verdict.accepts, verdict.reason) == (False, "Ben left the room")
    assert bench.journal.entries()[-1].facts["witness"] == "disagrees"


def test_nobody_is_their_own_witness(bench: Workbench) -> None:
    with pytest.raises(PolicyRefused, match="own witness"):
        hold(bench, {"witness": "mia  MAINTAINER"})


def test_missing_materials_are_recorded_as_missing(bench: Workbench) -> None:
    assert [m.present for m in hold(bench, {"materials": NO}).materials] == [False]


# --- the machine ---------------------------------------------------------------------------


def test_two_clocks_are_compared(bench: Workbench) -> None:
    t = hold(bench, {"clock-first": now_typed(), "clock-second": now_typed()})
    asked = [p.met for p in t.preconditions if p.name.startswith("clock of")]
    assert asked == [True, True]


@pytest.mark.parametrize("shift", [timedelta(days=1), timedelta(days=-1), timedelta(minutes=7)])
def test_a_clock_that_differs_stops_it(bench: Workbench, shift: timedelta) -> None:
    with pytest.raises(PolicyRefused, match="clock says"):
        hold(bench, {"clock-second": now_typed(shift)})
    assert bench.ceremonies.names() == ()


UNFIT: Final[dict[str, dict[str, Any]]] = {
    "air gap": {"interfaces": (Interface("eth0", is_up=True, is_wireless=False),)},
    "memory": {"memory_available_bytes": 1 << 30},
    "entropy": {"entropy_ready": None},
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_machine_needs_a_reason_and_the_reason_is_an_exception(
    bench: Workbench, name: str
) -> None:
    host = FakeHost(dataclasses.replace(OFFLINE, **UNFIT[name]))
    unfit = dataclasses.replace(bench, host=host)
    with pytest.raises(PolicyRefused, match=name):
        hold(unfit)
    t = hold(unfit, {"despite": "a practice machine"})
    assert next(p.name for p in t.preconditions if not p.met) == name
    assert (t.exceptions[0].expected, t.exceptions[0].decided) == (name, "a practice machine")


def test_no_reason_goes_on_under_a_clock_before_the_journals(bench: Workbench) -> None:
    late = dataclasses.replace(bench, clock=ShiftedClock(timedelta(days=-1)))
    with pytest.raises(PolicyRefused, match="which is past"):
        hold(late, {"despite": "I want to"})
    assert bench.ceremonies.names() == ()


# --- exceptions, ways back, the script --------------------------------------------------------


def test_an_exception_is_noted_at_any_step(bench: Workbench) -> None:
    says: dict[str, list[Answer | Move]] = {
        "materials": [Move.NOTE],
        "expected": ["one pen"],
        "happened": ["no pen"],
        "decided": ["fetch one"],
    }
    noted = hold(bench, speaker=Typist(says=says)).exceptions[0]
    assert (noted.step, noted.expected, noted.happened, noted.decided) == (
        "materials",
        "one pen",
        "no pen",
        "fetch one",
    )


def test_an_exception_without_a_decision_is_asked_for_again(bench: Workbench) -> None:
    says: dict[str, list[Answer | Move]] = {
        "materials": [Move.NOTE],
        "expected": ["one pen"],
        "happened": ["no pen"],
        "decided": [""],
    }
    speaker = Typist(says=says)
    t = hold(bench, speaker=speaker)
    assert speaker.told == ["KEY-1/exception"]
    assert all(e.step != "materials" for e in t.exceptions)


def test_only_a_ceremony_takes_notes(bench: Workbench) -> None:
    plain = dataclasses.replace(toy(bench), recorder=None)
    talk = Conversation(plain, MemoryStates(), Session())
    with pytest.raises(UsageError, match="no ceremony"):
        talk.note(expected="a", happened="b", decided="c")
    assert talk.state.exceptions == ()


def test_walking_back_does_not_take_back_what_happened(bench: Workbench) -> None:
    speaker = Typist(says={"materials": [Move.BACK]})
    t = hold(bench, speaker=speaker)
    ids = [step.id for step in t.steps]
    assert ids.count("witness") == 2
    assert ids.index("materials") > ids.index("witness")


def test_it_resumes_with_its_transcript(bench: Workbench) -> None:
    states = MemoryStates()
    first = Conversation(toy(bench), states, Session())
    first.answer("", Progress())
    first.answer("Ben", Progress())
    first.note(expected="light", happened="dark", decided="wait")
    again = Conversation(toy(bench), states, Session())
    assert again.resumed
    assert again.state == first.state
    assert [s.id for s in again.state.taken] == ["begin", "second"]


def test_the_script_names_every_step_that_will_be_walked(bench: Workbench) -> None:
    steps = toy(bench).steps
    text = print_script(bench, PLAN, steps).outcome(ScriptState()).data["script"]
    for number, step in enumerate(steps, 1):
        assert f"{number:>2}. {step.actor.value.upper()}: {step.title}" in text
    marked = text.index("POINT OF NO RETURN")
    assert text.index("Compare the new key") < marked < text.index("Tell a secret")
    assert all(len(line) < 80 and line.isascii() for line in text.splitlines())
