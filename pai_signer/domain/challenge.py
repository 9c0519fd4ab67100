"""The text that a backup signs to prove that it can (CUS-2).

Its first line makes it worthless for anything else: a checksum file is refused for a line
that is none, and a git tag begins with ``object``. It names project, custodian, medium, set
and key, pins the journal by its head, and holds a nonce, so that no signature made earlier
or for another medium answers it. Values are escaped to ASCII as Python's
``unicode_escape`` does; there is one spelling.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import MAX_IDENTITY_LENGTH, KeyName, MediumIdentity, ProvedFacts
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError

FIRST_LINE: Final = "# PROOF OF POSSESSION, neither a release nor a tag"
REHEARSAL_LINE: Final = "# REHEARSAL: a practice key; this proves nothing"
MAX_CHALLENGE_BYTES: Final = 16 << 10
NONCE_BYTES: Final = 32
#: The name of the signed file in trusted comments.
CHALLENGE_NAME: Final = "challenge.txt"

_LABELS: Final = (
    "project",
    "custodian",
    "medium uuid",
    "medium serial",
    "medium label",
    "backup set",
    "system",
    "key",
    "journal entry",
    "journal hash",
    "time",
    "nonce",
)
_HEX_64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY_ID: Final = re.compile(r"[0-9A-F]{1,40}", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
#: What ``unicode_escape`` writes of a text that is safe to show.
_ESCAPED: Final = re.compile(
    r"(?:[ -\[\]-~]|\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*", re.ASCII
)
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class Challenge(Record, frozen=True, kw_only=True):
    """All that one challenge says; ``nonce`` is 32 bytes in lower hex, ``at`` whole seconds."""

    project: str
    rehearsal: bool
    custodian: str
    medium: MediumIdentity
    set_number: int
    algorithm: Algorithm
    key_id: str
    journal: JournalHead
    at: datetime
    nonce: str


def render_challenge(challenge: Challenge) -> bytes:
    """The ASCII text to sign; ``FormatError`` for a value that cannot stand in it."""
    _check(challenge)
    values = (
        challenge.project,
        challenge.custodian,
        challenge.medium.uuid,
        challenge.medium.serial,
        challenge.medium.label,
        str(challenge.set_number),
        challenge.algorithm.value,
        challenge.key_id,
        str(challenge.journal.n),
        challenge.journal.hash,
        challenge.at.strftime(_TIME),
        challenge.nonce,
    )
    lines = [FIRST_LINE, *([REHEARSAL_LINE] * challenge.rehearsal)]
    lines += [_line(label, value) for label, value in zip(_LABELS, values, strict=True)]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _line(label: str, value: str) -> str:
    escaped = value.encode("unicode_escape").decode("ascii")
    return f"{label}: {escaped}" if escaped else f"{label}:"


def parse_challenge(data: bytes) -> Challenge:
    """Read a challenge back, byte for byte; ``FormatError`` if it is anything else."""
    if len(data) > MAX_CHALLENGE_BYTES:
        raise _malformed("it is too large")
    try:
        lines = data.decode("ascii").split("\n")
        rehearsal = lines[1:2] == [REHEARSAL_LINE]
        fields = lines[2 if rehearsal else 1 : -1]
        if lines[0] != FIRST_LINE or len(fields) != len(_LABELS):
            raise _malformed("its lines are others")
        values = [_value(line, label) for line, label in zip(fields, _LABELS, strict=True)]
        project, custodian, uuid, serial, label, number, system, key_id, n, head, at, nonce = values
        if not _NUMBER.fullmatch(number) or not _NUMBER.fullmatch(n):
            raise _malformed("a number is none")
        challenge = Challenge(
            project=project,
            rehearsal=rehearsal,
            custodian=custodian,
            medium=MediumIdentity(uuid=uuid, serial=serial, label=label),
            set_number=int(number),
            algorithm=Algorithm(system),
            key_id=key_id,
            journal=JournalHead(n=int(n), hash=head),
            at=datetime.strptime(at, _TIME).replace(tzinfo=UTC),
            nonce=nonce,
        )
    except ValueError as error:  # not ASCII, a broken escape, no system, no time
        raise _malformed("a line is not as it should be") from error
    if render_challenge(challenge) != data:
        raise _malformed("it is not in the form that this program writes")
    return challenge


def proved_facts(
    challenge: Challenge,
    salts: tuple[str, ...],
    signatures: Sequence[bytes],
    command: str = "",
) -> ProvedFacts:
    """The facts of the journal's entry: what the challenge says, and the evidence."""
    text = render_challenge(challenge)
    return ProvedFacts(
        custodian=challenge.custodian,
        medium=challenge.medium,
        set_number=challenge.set_number,
        key=KeyName(algorithm=challenge.algorithm, id=challenge.key_id),
        salts=salts,
        challenge=tuple(text.decode("ascii").splitlines()),
        challenge_sha256=hashlib.sha256(text).hexdigest(),
        signatures=tuple(base64.b64encode(signature).decode("ascii") for signature in signatures),
        command=command,
    )


def _value(line: str, label: str) -> str:
    if not line.startswith(f"{label}:"):
        raise _malformed(f"the line '{label}' is missing")
    escaped = line.removeprefix(f"{label}:").removeprefix(" ")
    if not _ESCAPED.fullmatch(escaped):
        raise _malformed(f"the line '{label}' is not escaped as it should be")
    return escaped.encode("ascii").decode("unicode_escape")


def _check(challenge: Challenge) -> None:
    medium = challenge.medium
    texts = (challenge.project, challenge.custodian, medium.uuid, medium.serial, medium.label)
    rules = {
        "a text has unprintable characters or is too long": all(
            is_safe(text) and len(text) <= MAX_IDENTITY_LENGTH for text in texts
        ),
        "project or custodian is empty": bool(challenge.project and challenge.custodian),
        "the key is none": bool(_KEY_ID.fullmatch(challenge.key_id)),
        "a number is none": 0 < challenge.set_number < 10**12 and 0 < challenge.journal.n < 10**12,
        "the journal's head or the nonce is malformed": bool(
            _HEX_64.fullmatch(challenge.journal.hash) and _HEX_64.fullmatch(challenge.nonce)
        ),
        "the time is not in whole seconds of UTC": challenge.at.utcoffset() == timedelta()
        and challenge.at.microsecond == 0
        and challenge.at.year >= 1970,
    }
    for why, holds in rules.items():
        if not holds:
            raise _malformed(why)


def _malformed(why: str) -> FormatError:
    return FormatError(
        "CUS-2/challenge",
        f"This is not a challenge for a proof of possession: {safe_text(why, limit=200)}.",
        "Verify the medium again: each verification makes a challenge of its own.",
    )
