"""The transcript of a ceremony: who, with what, what was done, seen and decided (KEY-1).

``transcript.json`` is strict (see ``records``). A secret never stands in it: the answer to a
secret question is the one text ``SECRET_ANSWER``. Times are UTC.
"""

import enum
from datetime import datetime
from typing import Final, Literal

from pai_signer.domain.artifact import Record
from pai_signer.domain.page import group_rows
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import decode_record
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.domain.words import from_words, to_words
from pai_signer.errors import DigestMismatch, FormatError, PolicyRefused, UsageError

FORMAT: Final = 1
TRANSCRIPT_NAME: Final = "transcript.json"
MAX_TRANSCRIPT_BYTES: Final = 4 << 20
SECRET_ANSWER: Final = "(secret)"  # noqa: S105 - what stands there instead of a secret
MAX_TEXT_LENGTH: Final = 1000

WITNESS_STATEMENT: Final = (
    "I was in the room from the first step to the last. I saw each step of this transcript "
    "done as it says, by the person it names. I compared each fingerprint and digest that it "
    "lists with my own eyes or ears. I saw no passphrase and no secret key, nobody copied "
    "secret material to anything but the media listed, and whatever went differently from "
    "the script is noted here."
)
MAINTAINER_STATEMENT: Final = (
    "I did the steps that this transcript names me for. I chose my passphrases myself or took "
    "those that were offered, told them to nobody and wrote them on nothing but my own paper. "
    "I took no secret material out of the room but the media listed as mine."
)


class Role(enum.Enum):
    """Who acts; the values are those of the workflow engine's actors."""

    MAINTAINER = "maintainer"
    SECOND_MAINTAINER = "second maintainer"
    WITNESS = "witness"


class How(enum.Enum):
    """Whether the program found something out itself, or only asked."""

    PROBED = "probed"
    ASKED = "asked"


class Participant(Record, frozen=True, kw_only=True):
    """A person in the room."""

    role: Role
    name: str


class Material(Record, frozen=True, kw_only=True):
    """A thing that the ceremony needs on the table."""

    name: str
    present: bool


class Precondition(Record, frozen=True, kw_only=True):
    """A condition and what was found; ``text`` says it in one line."""

    name: str
    how: How
    met: bool
    text: str


class TakenStep(Record, frozen=True, kw_only=True):
    """One step with its answer, as the engine took it."""

    id: str
    title: str
    actor: Role
    at: datetime
    question: str
    answer: str
    point_of_no_return: bool = False


class NotedException(Record, frozen=True, kw_only=True):
    """Something that did not go as the script says."""

    step: str
    at: datetime
    expected: str
    happened: str
    decided: str


class Comparison(Record, frozen=True, kw_only=True):
    """A digest or fingerprint that was read aloud and typed by somebody."""

    step: str
    at: datetime
    what: str
    #: Hex digits in groups, and the same bytes as words.
    groups: tuple[str, ...]
    words: tuple[str, ...]
    read_by: str
    typed_by: str


class Result(Record, frozen=True, kw_only=True):
    """What came of a ceremony, such as a new key: its public facts, one text each."""

    what: str
    text: str


class Verdict(Record, frozen=True, kw_only=True):
    """What the witness says at the end, under which statement. A witness may disagree.

    A ceremony that nobody witnessed ends without one.
    """

    witness: str
    at: datetime
    statement: str
    accepts: bool
    reason: str = ""


class Transcript(Record, frozen=True, kw_only=True):
    """One ceremony. The two journal heads pin what happened in between."""

    format: Literal[1] = FORMAT
    project: str
    ceremony: str
    title: str
    rehearsal: bool
    program: str
    began_at: datetime
    journal_at_begin: JournalHead
    participants: tuple[Participant, ...]
    materials: tuple[Material, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    steps: tuple[TakenStep, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    exceptions: tuple[NotedException, ...] = ()
    results: tuple[Result, ...] = ()
    verdict: Verdict | None = None
    ended_at: datetime | None = None
    journal_at_end: JournalHead | None = None


def check_participants(participants: tuple[Participant, ...]) -> None:
    """One named person for each role, and nobody in two roles; ``PolicyRefused`` if not."""
    names = [" ".join(p.name.split()).casefold() for p in participants]
    if any(not name for name in names) or len(set(names)) != len(names):
        raise PolicyRefused(
            "KEY-1/participants",
            "Each role needs a person of its own: nobody can be their own witness.",
            "Enter a different name for each role.",
        )
    if len({p.role for p in participants}) != len(participants):
        raise PolicyRefused(
            "KEY-1/participants",
            "A role was given to two people.",
            "Enter one person for each role.",
        )


def taken_step(
    *,
    step: str,
    title: str,
    actor: Role,
    at: datetime,
    question: str,
    answer: str | Secret,
    point_of_no_return: bool = False,
) -> TakenStep:
    """A step as it stands in the transcript: no secret, and no text that could deceive."""
    shown = SECRET_ANSWER if isinstance(answer, Secret) else answer
    return TakenStep(
        id=step,
        title=title,
        actor=actor,
        at=at,
        question=question,
        answer=safe_text(shown, limit=MAX_TEXT_LENGTH),
        point_of_no_return=point_of_no_return,
    )


def noted_exception(
    step: str, at: datetime, *, expected: str, happened: str, decided: str
) -> NotedException:
    """An exception with its three texts, none of them empty; ``UsageError`` if one is."""
    texts = [safe_text(text.strip(), limit=MAX_TEXT_LENGTH) for text in (expected, happened)]
    texts.append(safe_text(decided.strip(), limit=MAX_TEXT_LENGTH))
    if not all(texts):
        raise UsageError(
            "KEY-1/exception",
            "An exception says what was expected, what happened and what was decided.",
            "Fill in all three.",
        )
    return NotedException(step=step, at=at, expected=texts[0], happened=texts[1], decided=texts[2])


# --- comparing by ear and hand --------------------------------------------------------------


def digest_groups(digest_hex: str) -> tuple[str, ...]:
    """Hex digits in groups of 8, to read aloud or compare by eye."""
    return tuple(group for row in group_rows(digest_hex) for group in row.split())


def compare_typed(
    what: str,
    digest_hex: str,
    typed: str,
    *,
    step: str,
    at: datetime,
    read_by: str,
    typed_by: str,
) -> Comparison:
    """Check what ``typed_by`` typed after hearing ``what`` read aloud; all of it, not a part.

    Either form is taken: the hex digits (spaces and capitals do not matter), or the words.
    ``DigestMismatch`` if it is another value, ``FormatError`` if it is neither form.
    """
    expected = bytes.fromhex(digest_hex)
    if _typed_bytes(typed) != expected:
        raise DigestMismatch(
            "REV-1/compared",
            f"What was typed is not the {safe_text(what, limit=80)} of this workstation.",
            "Read it again, slowly. If it differs again, stop: the two are not the same.",
        )
    return Comparison(
        step=step,
        at=at,
        what=what,
        groups=digest_groups(digest_hex.lower()),
        words=to_words(expected),
        read_by=read_by,
        typed_by=typed_by,
    )


def _typed_bytes(typed: str) -> bytes:
    compact = "".join(typed.split())
    if compact and set(compact) <= set("0123456789abcdefABCDEF"):
        try:
            return bytes.fromhex(compact)
        except ValueError as error:
            raise FormatError(
                "REV-1/odd-digits",
                "A digit is missing: the count of hexadecimal digits is odd.",
                "Type all groups again.",
            ) from error
    return from_words(typed.split())


# --- the record as a whole --------------------------------------------------------------------


def parse_transcript(data: bytes) -> Transcript:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    transcript = decode_record(data, Transcript, TRANSCRIPT_NAME, limit_bytes=MAX_TRANSCRIPT_BYTES)
    check_transcript(transcript)
    return transcript


def check_transcript(t: Transcript) -> None:
    """Check that the parts agree: the ending is whole, times run forward, comparisons hold."""
    times = [t.began_at, *(step.at for step in t.steps)]
    if t.ended_at is not None:
        times.append(t.ended_at)
    others = [c.at for c in t.comparisons] + [e.at for e in t.exceptions]
    if t.verdict is not None:
        others.append(t.verdict.at)
    if any(time.tzinfo is None for time in (*times, *others)):
        raise _bad("a time has no time zone")
    verdict = t.verdict
    rules = {
        "its times do not run forward": times == sorted(times),
        "only a part of its ending is there": (t.ended_at is None) == (t.journal_at_end is None)
        and (t.verdict is None or t.ended_at is not None),
        "the witness disagrees without saying why": verdict is None
        or verdict.accepts
        or bool(verdict.reason.strip()),
        "somebody else than the witness gave the verdict": verdict is None
        or Participant(role=Role.WITNESS, name=verdict.witness) in t.participants,
        "the words of a comparison are not its digits": all(map(_agrees, t.comparisons)),
        "a head of the journal is malformed": t.journal_at_begin.is_whole
        and (t.journal_at_end is None or t.journal_at_end.is_whole),
        "the journal ran backwards": t.journal_at_end is None
        or t.journal_at_end.n >= t.journal_at_begin.n,
    }
    for why, holds in rules.items():
        if not holds:
            raise _bad(why)


def _agrees(comparison: Comparison) -> bool:
    try:
        digest = bytes.fromhex("".join(comparison.groups))
    except ValueError:
        return False
    return comparison.words == to_words(digest)


def _bad(why: str) -> FormatError:
    return FormatError(
        "KEY-1/transcript",
        f"The transcript cannot be trusted: {why}.",
        "Get it again from the workstation's journal export.",
    )
