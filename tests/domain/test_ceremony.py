"""A transcript holds what happened and no secret; its paper forms fit any console (KEY-1)."""

from datetime import datetime, timedelta

import msgspec
import pytest

from pai_signer.domain.ceremony import (
    MAINTAINER_STATEMENT,
    SECRET_ANSWER,
    WITNESS_STATEMENT,
    Comparison,
    How,
    Material,
    Participant,
    Precondition,
    Result,
    Role,
    Transcript,
    Verdict,
    check_participants,
    compare_typed,
    noted_exception,
    parse_transcript,
    taken_step,
)
from pai_signer.domain.ceremony_text import Script, ScriptStep, render_script, render_transcript
from pai_signer.domain.page import group_rows
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.secret import Secret
from pai_signer.domain.words import to_words
from pai_signer.errors import DigestMismatch, FormatError, PolicyRefused, UsageError
from pai_signer.workflows.engine import Actor
from tests.registries import BORN

DIGEST = "9f27ee062f0f514e55a0fbc80316d5307e470a973505c9be0077c2f7e901b049"
PEOPLE = (
    Participant(role=Role.MAINTAINER, name="Ada"),
    Participant(role=Role.SECOND_MAINTAINER, name="Ben"),
    Participant(role=Role.WITNESS, name="Wim"),
)


def minute(number: int) -> datetime:
    return BORN + timedelta(minutes=number)


def compared(typed: str = DIGEST) -> Comparison:
    return compare_typed(
        "new minisign key",
        DIGEST,
        typed,
        step="compare",
        at=minute(4),
        read_by="Ada",
        typed_by="Ben",
    )


def transcript() -> Transcript:
    return Transcript(
        project="PAI",
        ceremony="rotate-minisign",
        title="Rotate the minisign key",
        rehearsal=False,
        program="pai-signer 1.0",
        began_at=minute(0),
        journal_at_begin=JournalHead(n=3, hash="01" * 32),
        participants=PEOPLE,
        materials=(Material(name="two empty media", present=True),),
        preconditions=(
            Precondition(name="air gap", how=How.PROBED, met=True, text="no interface up"),
            Precondition(name="door closed", how=How.ASKED, met=True, text="Wim says yes"),
        ),
        steps=(
            taken_step(
                step="passphrase",
                title="Type the passphrase",
                actor=Role.MAINTAINER,
                at=minute(1),
                question="new",
                answer=Secret(bytearray(b"canary")),
            ),
            taken_step(
                step="activate",
                title="Make the new key the active one",
                actor=Role.SECOND_MAINTAINER,
                at=minute(3),
                question="confirm",
                answer="v0.2.0",
                point_of_no_return=True,
            ),
        ),
        comparisons=(compared(),),
        exceptions=(
            noted_exception(
                "activate",
                minute(2),
                expected="one printer",
                happened="it was out of paper",
                decided="written by hand",
            ),
        ),
        verdict=Verdict(witness="Wim", at=minute(5), statement=WITNESS_STATEMENT, accepts=True),
        ended_at=minute(6),
        journal_at_end=JournalHead(n=9, hash="02" * 32),
    )


# --- the record -------------------------------------------------------------------------------


def test_a_transcript_is_read_back() -> None:
    assert parse_transcript(encode_record(transcript())) == transcript()


def test_roles_are_the_engines_actors() -> None:
    assert {role.value for role in Role} == {actor.value for actor in Actor}


def test_a_secret_never_stands_in_it() -> None:
    data = encode_record(transcript())
    assert b"canary" not in data
    assert "canary" not in render_transcript(transcript())
    assert transcript().steps[0].answer == SECRET_ANSWER


def test_an_answer_cannot_deceive_the_reader() -> None:
    step = taken_step(
        step="x",
        title="x",
        actor=Role.WITNESS,
        at=BORN,
        question="x",
        answer="\x1b[2J\n" + "y" * 5000,
    )
    assert step.answer.startswith("\\x1b[2J\\x0a")
    assert len(step.answer) < 1010


def test_an_unfinished_transcript_can_be_kept() -> None:
    open_ended = msgspec.structs.replace(
        transcript(), verdict=None, ended_at=None, journal_at_end=None
    )
    assert parse_transcript(encode_record(open_ended)) == open_ended
    assert "NOT ENDED" in render_transcript(open_ended)


def test_a_ceremony_that_nobody_witnessed_ends_without_a_verdict() -> None:
    unwitnessed = msgspec.structs.replace(transcript(), verdict=None)
    assert parse_transcript(encode_record(unwitnessed)) == unwitnessed
    assert "nobody witnessed it" in render_transcript(unwitnessed)


def test_the_witness_may_disagree_but_has_to_say_why() -> None:
    verdict = Verdict(witness="Wim", at=minute(5), statement=WITNESS_STATEMENT, accepts=False)
    with pytest.raises(FormatError, match="without saying why"):
        parse_transcript(encode_record(msgspec.structs.replace(transcript(), verdict=verdict)))
    told = msgspec.structs.replace(verdict, reason="Ben left the room at step 2")
    disagreed = msgspec.structs.replace(transcript(), verdict=told)
    assert parse_transcript(encode_record(disagreed)) == disagreed
    text = render_transcript(disagreed)
    assert "Wim DISAGREES" in text
    assert "Ben left the room" in text


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"ended_at": None}, "part of its ending"),
        ({"journal_at_end": None}, "part of its ending"),
        ({"ended_at": minute(2)}, "forward"),
        ({"began_at": minute(2)}, "forward"),
        ({"began_at": BORN.replace(tzinfo=None)}, "time zone"),
        ({"journal_at_end": JournalHead(n=2, hash="02" * 32)}, "backwards"),
        (
            {"verdict": Verdict(witness="Ada", at=minute(5), statement="x", accepts=True)},
            "somebody else",
        ),
        (
            {"comparisons": (msgspec.structs.replace(compared(), words=to_words(b"other")),)},
            "words of a comparison",
        ),
        (
            {"comparisons": (msgspec.structs.replace(compared(), groups=("xyz",)),)},
            "words of a comparison",
        ),
    ],
)
def test_a_transcript_whose_parts_disagree_is_refused(fields: dict[str, object], why: str) -> None:
    broken = msgspec.structs.replace(transcript(), **fields)
    with pytest.raises(FormatError, match=why):
        parse_transcript(encode_record(broken))


@pytest.mark.parametrize(
    "people",
    [
        (Participant(role=Role.MAINTAINER, name="Ada"), Participant(role=Role.WITNESS, name="Ada")),
        (
            Participant(role=Role.MAINTAINER, name="Ada  L."),
            Participant(role=Role.WITNESS, name=" ada l."),
        ),
        (Participant(role=Role.MAINTAINER, name="Ada"), Participant(role=Role.WITNESS, name=" ")),
        (Participant(role=Role.WITNESS, name="Ada"), Participant(role=Role.WITNESS, name="Wim")),
    ],
)
def test_nobody_is_their_own_witness(people: tuple[Participant, ...]) -> None:
    with pytest.raises(PolicyRefused):
        check_participants(people)
    check_participants(PEOPLE)


def test_an_exception_says_all_three_things() -> None:
    for texts in (("", "b", "c"), ("a", " ", "c"), ("a", "b", "")):
        with pytest.raises(UsageError, match="expected"):
            noted_exception("x", BORN, expected=texts[0], happened=texts[1], decided=texts[2])


# --- comparing by ear and hand ------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        DIGEST,
        DIGEST.upper(),
        "  ".join(group_rows(DIGEST)),
        " ".join(to_words(bytes.fromhex(DIGEST))),
        " ".join(to_words(bytes.fromhex(DIGEST))).upper(),
    ],
)
def test_the_digits_or_the_words_may_be_typed(typed: str) -> None:
    made = compared(typed)
    assert "".join(made.groups) == DIGEST
    assert made.words == to_words(bytes.fromhex(DIGEST))
    assert (made.read_by, made.typed_by) == ("Ada", "Ben")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", DigestMismatch),  # Enter alone confirms nothing
        ("yes", FormatError),
        (DIGEST[:-2], DigestMismatch),  # a part is not the whole
        (DIGEST + "00", DigestMismatch),
        (DIGEST[:-1] + "8", DigestMismatch),
        (DIGEST[:-1], FormatError),
        (" ".join(to_words(bytes.fromhex(DIGEST))[:-1]), DigestMismatch),
        (" ".join(to_words(bytes.fromhex(DIGEST))[1:]), FormatError),
    ],
)
def test_anything_less_than_the_whole_value_confirms_nothing(
    typed: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        compared(typed)


# --- on paper -------------------------------------------------------------------------------------


def script() -> Script:
    return Script(
        project="PAI",
        title="Rotate the minisign key",
        purpose="A new minisign key takes the place of the old one. " * 3,
        roles=(
            (Role.MAINTAINER, "types at the workstation"),
            (Role.SECOND_MAINTAINER, "reads aloud and keeps the second medium"),
            (Role.WITNESS, "watches, notes, and accepts or disagrees at the end"),
        ),
        materials=("the workstation", "two empty media", "paper and pens " * 8),
        preconditions=("no network cable is plugged in",),
        steps=(
            ScriptStep(
                id="generate", title="Generate the key", actor=Role.MAINTAINER, blanks=("Key ID",)
            ),
            ScriptStep(
                id="activate",
                title="Make it active",
                actor=Role.SECOND_MAINTAINER,
                lines=("Read the words aloud " * 6,),
                point_of_no_return=True,
            ),
        ),
    )


def test_a_script_has_boxes_blanks_statements_and_the_point_of_no_return() -> None:
    text = render_script(script())
    lines = text.splitlines()
    assert text.count("[ ]") == 3 + 1 + 2 + 2
    assert "  [ ]  1. MAINTAINER: Generate the key" in lines
    no_return = next(i for i, line in enumerate(lines) if "POINT OF NO RETURN" in line)
    assert no_return < lines.index("  [ ]  2. SECOND MAINTAINER: Make it active")
    assert no_return > lines.index("  [ ]  1. MAINTAINER: Generate the key")
    assert any(line.startswith("          Key ID ____") for line in lines)
    assert " ".join(text.split()).count(" ".join(WITNESS_STATEMENT.split())) == 1
    assert " ".join(text.split()).count(" ".join(MAINTAINER_STATEMENT.split())) == 2
    assert "I DISAGREE, because" in text
    assert text.count("Signature, date ____") == 3


def test_a_transcript_on_paper_says_all_of_it() -> None:
    text = render_transcript(transcript())
    flat = " ".join(text.split())
    for fact in (
        "began 2026-01-05 12:00:00 UTC",
        "ended 2026-01-05 12:06:00 UTC",
        "witness Wim",
        "[x] two empty media",
        "[x] air gap (probed): no interface up",
        "[x] door closed (asked): Wim says yes",
        "1. 2026-01-05 12:01:00 UTC maintainer: Type the passphrase new: (secret)",
        "confirm: v0.2.0",
        "new minisign key: read by Ada, typed by Ben",
        " ".join(to_words(bytes.fromhex(DIGEST))),
        "at step activate, 2026-01-05 12:02:00 UTC expected one printer happened it was out",
        "Wim ACCEPTS, 2026-01-05 12:05:00 UTC",
        "entry 3 " + "01" * 32,
        "entry 9 " + "02" * 32,
        " ".join(WITNESS_STATEMENT.split()),
    ):
        assert fact in flat, fact
    for row in group_rows(DIGEST):
        assert row in text
    assert text.count("POINT OF NO RETURN") == 1


def test_a_missing_thing_and_an_unmet_condition_have_an_empty_box() -> None:
    lacking = msgspec.structs.replace(
        transcript(),
        materials=(Material(name="spare printer", present=False),),
        preconditions=(Precondition(name="swap", how=How.PROBED, met=False, text="swap is on"),),
    )
    text = render_transcript(lacking)
    assert "  [ ] spare printer\n" in text
    assert "  [ ] swap (probed): swap is on\n" in text


def test_a_label_as_long_as_its_column_stands_apart_from_its_value() -> None:
    result = Result(what="attestation, SHA-256", text=DIGEST)
    text = render_transcript(msgspec.structs.replace(transcript(), results=(result,)))
    assert f"  attestation, SHA-256 {DIGEST[:20]}" in text


def test_a_rehearsal_says_so_on_paper() -> None:
    practice = msgspec.structs.replace(transcript(), rehearsal=True)
    assert "REHEARSAL" in render_transcript(practice)
    assert "REHEARSAL" not in render_transcript(transcript())


def test_paper_is_plain_text_under_80_columns() -> None:
    for text in (render_script(script()), render_transcript(transcript())):
        assert text.isascii()
        assert max(map(len, text.splitlines())) < 80
        assert text.endswith("\n")
        assert all(line == line.rstrip() for line in text.splitlines())


def test_hostile_names_cannot_break_the_paper() -> None:
    name = "Ada\x1b[2J\nVERDICT: Wim ACCEPTS\u202e" + "x" * 200
    people = (Participant(role=Role.MAINTAINER, name=name), *PEOPLE[1:])
    text = render_transcript(msgspec.structs.replace(transcript(), participants=people))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\nVERDICT: Wim" not in text
    assert max(map(len, text.splitlines())) < 80
