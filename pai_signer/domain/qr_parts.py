"""A file as QR codes on a screen, and the scanned codes as the file again (EXP-4).

What each code holds is one line of text, ``docs/formats.md`` has it in full::

    PSQ1:CHECK:NAME:NUMBER/COUNT:DIGEST:BODY

Every character is of the alphanumeric mode (ISO/IEC 18004:2015, table 5), so that any phone shows
plain text. ``BODY`` is base32 without padding (RFC 4648, 6): it can be typed, and ``base32 -d``
reads it. ``CHECK`` is of the rest of the line, ``DIGEST`` of the whole file: the first digits of a
SHA-256 each, against slips of hand and scanner only. What vouches for a file is its signature.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.names import why_unsafe
from pai_signer.domain.paper import CHECK_DIGITS, MAX_FILE_BYTES, Row
from pai_signer.domain.text import safe_text
from pai_signer.errors import CannotTell, DigestMismatch, FormatError, PolicyRefused

MAGIC: Final = "PSQ1"

#: 37 modules and a quiet zone of 4 on each side are 45 columns and, in half blocks, 23 rows: what
#: 80x24 holds under a title row, with 35 columns for the text beside it.
CODE_VERSION: Final = 5
#: Alphanumeric characters of version 5 at level L (ISO/IEC 18004:2015, table 7).
CODE_CHARACTERS: Final = 154
#: Less in each code than this, and nobody would scan them all.
MIN_PART_BYTES: Final = 20

DIGEST_DIGITS: Final = 16
#: Rows to type: five groups of four fit beside the code.
ROW_CHARACTERS: Final = 20
ROW_GROUP: Final = 4

#: Of the text file with the scanned lines: 16 KiB in codes are some 60 kB of lines.
MAX_SCANNED_BYTES: Final = 1 << 20
MAX_LINE_CHARACTERS: Final = 400
MAX_FILES: Final = 100
#: So many wrong lines are told apart; the others are counted.
_TOLD: Final = 5

_LINE: Final = re.compile(
    rf"{MAGIC}:(?P<check>[0-9A-F]{{{CHECK_DIGITS}}}):(?P<rest>"
    r"(?P<name>[A-Z0-9.+%$-]+):(?P<number>[1-9][0-9]{0,2})/(?P<count>[1-9][0-9]{0,2}):"
    rf"(?P<digest>[0-9A-F]{{{DIGEST_DIGITS}}}):(?P<body>[A-Z2-7]+))",
    re.ASCII,
)


@dataclass(frozen=True)
class QrPart:
    """One code: part ``number`` of ``count`` of the file ``name``."""

    name: str
    number: int
    count: int
    #: The first digits of the whole file's SHA-256, upper case.
    digest: str
    data: bytes

    @property
    def payload(self) -> str:
        """The line that the code holds."""
        body = base64.b32encode(self.data).decode("ascii").rstrip("=")
        place = f"{self.number}/{self.count}"
        rest = f"{_packed_name(self.name)}:{place}:{self.digest}:{body}"
        return f"{MAGIC}:{_check(rest)}:{rest}"

    @property
    def rows(self) -> tuple[Row, ...]:
        """The same as rows to type, each with a check as on paper (CUS-1)."""
        return typed_rows(self.payload)


@dataclass(frozen=True)
class JoinedFile:
    """A file made of all its parts again."""

    name: str
    data: bytes
    count: int

    @property
    def sha256(self) -> str:
        """Of the whole file."""
        return hashlib.sha256(self.data).hexdigest()


def typed_rows(payload: str) -> tuple[Row, ...]:
    """A payload in rows; ``Row.check`` is of the row without the spaces between its groups."""
    pieces = [payload[i : i + ROW_CHARACTERS] for i in range(0, len(payload), ROW_CHARACTERS)]
    return tuple(Row(number, piece) for number, piece in enumerate(pieces, start=1))


def grouped(row: Row) -> str:
    """A row's text in groups, for the eye and the hand."""
    return " ".join(row.text[i : i + ROW_GROUP] for i in range(0, len(row.text), ROW_GROUP))


# --- out ----------------------------------------------------------------------------------


def cut_for_codes(name: str, data: bytes) -> tuple[QrPart, ...]:
    """The parts of a file, of nearly one size; the same file is always cut in the same way.

    Raises ``FormatError`` for an empty file, ``PolicyRefused`` for one that would take more
    codes than anybody scans, or whose name leaves no room in a code.
    """
    why = why_unsafe(name)
    if why is not None:
        raise PolicyRefused(
            "EXP-4/name",
            f"'{safe_text(name, limit=200)}' cannot be the name in a QR code: {why}.",
            "Export it to a medium.",
        )
    if not data:
        raise FormatError("EXP-4/empty", f"{name} is empty.", "There is nothing to show of it.")
    if len(data) > MAX_FILE_BYTES:
        raise PolicyRefused(
            "EXP-4/size",
            f"{name} has {len(data)} bytes; more than {MAX_FILE_BYTES} are not shown as QR codes.",
            "Export it to a medium.",
        )
    digest = hashlib.sha256(data).hexdigest()[:DIGEST_DIGITS].upper()
    for digits in (1, 2, 3):
        header = QrPart(name, int("9" * digits), int("9" * digits), digest, b"").payload
        room = (CODE_CHARACTERS - len(header)) * 5 // 8
        if room < MIN_PART_BYTES:
            break
        count = -(-len(data) // room)
        if len(str(count)) <= digits:
            size = -(-len(data) // count)
            pieces = [data[i : i + size] for i in range(0, len(data), size)]
            return tuple(
                QrPart(name, number, len(pieces), digest, piece)
                for number, piece in enumerate(pieces, start=1)
            )
    raise PolicyRefused(
        "EXP-4/name",
        f"The name {name} is too long for QR codes of this size.",
        "Export it to a medium.",
    )


# --- in -----------------------------------------------------------------------------------


def parse_payload(line: str) -> QrPart:
    """One scanned or typed line; spaces between groups and lower case are let pass.

    Raises ``FormatError``: ``EXP-4/foreign`` where it is no line of ours, ``EXP-4/part`` where it
    is one that came out wrong.
    """
    text = "".join(line.split()).upper()
    if len(line) > MAX_LINE_CHARACTERS or not line.isascii() or not text.startswith(f"{MAGIC}:"):
        raise _foreign("it is not the text of one of our QR codes")
    found = _LINE.fullmatch(text)
    if found is None:
        raise _wrong("it is torn, or a letter is not of its alphabet")
    if _check(found["rest"]) != found["check"]:
        checks = " ".join(row.check for row in typed_rows(text))
        raise _wrong(f"its check does not fit; its rows have the checks {checks}")
    part = QrPart(
        _unpacked_name(found["name"]),
        int(found["number"]),
        int(found["count"]),
        found["digest"],
        _decoded(found["body"]),
    )
    why = why_unsafe(part.name)
    if why is not None:
        raise _foreign(f"it is for the name '{safe_text(part.name, limit=80)}': {why}")
    if part.number > part.count or part.payload != text:
        raise _foreign("its numbers, its name or its end are not as this program writes them")
    return part


def join_scanned(text: str) -> tuple[JoinedFile, ...]:
    """Every file whose parts stand in ``text``, one to a line, in any order, also twice.

    All or nothing. Raises ``FormatError`` for lines that are wrong or foreign and for parts
    of two sets (``EXP-4/mixed``), ``CannotTell`` (``EXP-4/missing``) with the numbers that are
    missing, ``DigestMismatch`` (``EXP-4/joined``) if a joined file is not what was cut.
    """
    files: dict[str, list[QrPart]] = {}
    wrong: list[str] = []
    first_error: FormatError | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            part = parse_payload(line)
        except FormatError as error:
            first_error = first_error or error
            wrong.append(f"Line {number}: {error.summary}")
            continue
        parts = files.setdefault(part.name, [])
        if part not in parts[-1:]:  # a scanner that looks at one code reads it again and again
            parts.append(part)
        if len(files) > MAX_FILES:
            raise FormatError(
                "EXP-4/too-many",
                f"There are parts of more than {MAX_FILES} files.",
                "Scan one release into one file.",
            )
    if first_error is not None:
        more = f" And {len(wrong) - _TOLD} more lines." if len(wrong) > _TOLD else ""
        raise FormatError(
            first_error.code,
            " ".join(wrong[:_TOLD]) + more,
            f"{_missing_text(files) or 'Every file seen so far is complete without it.'} "
            "Remove the wrong lines, and scan what is missing.",
        )
    if not files:
        raise CannotTell(
            "EXP-4/nothing",
            "There is no scanned code in it.",
            "Scan the codes into a text file, one line for each.",
        )
    for name, parts in files.items():
        _check_one_set(name, parts)
    if missing := _missing_text(files):
        raise CannotTell("EXP-4/missing", missing, "Scan these too; lines may stand in any order.")
    return tuple(_join(name, parts) for name, parts in sorted(files.items()))


def _check_one_set(name: str, parts: Sequence[QrPart]) -> None:
    sets: dict[tuple[str, int], list[QrPart]] = {}
    for part in parts:
        sets.setdefault((part.digest, part.count), []).append(part)
    if len(sets) > 1:
        told = "; ".join(
            f"SHA-256 {digest.lower()}..., {len({p.number for p in found})} of {count} parts"
            f"{_lacking(found, ', missing ')}"
            for (digest, count), found in list(sets.items())[:_TOLD]
        )
        raise FormatError(
            "EXP-4/mixed",
            f"The parts of {name} are of {len(sets)} different files: {told}.",
            "Keep the lines of one of them: see the SHA-256 beside the codes.",
        )
    by_number: dict[int, QrPart] = {}
    for part in parts:
        if by_number.setdefault(part.number, part) != part:
            raise FormatError(
                "EXP-4/mixed",
                f"Part {part.number} of {name} is there twice, with different content.",
                "Remove both lines, and scan this part again.",
            )


def _join(name: str, parts: Sequence[QrPart]) -> JoinedFile:
    by_number = {part.number: part for part in parts}
    joined = JoinedFile(
        name, b"".join(by_number[n].data for n in sorted(by_number)), len(by_number)
    )
    if joined.sha256[:DIGEST_DIGITS].upper() != parts[0].digest:
        raise DigestMismatch(
            "EXP-4/joined",
            f"The joined {name} is not the file that was shown: its SHA-256 begins with "
            f"{joined.sha256[:DIGEST_DIGITS]}, not with {parts[0].digest.lower()}.",
            f"Scan every part of {name} again.",
        )
    return joined


def _missing_text(files: Mapping[str, Sequence[QrPart]]) -> str:
    """What is missing, file by file; empty where nothing is."""
    texts = [_lacking(parts, f"Of {name} missing: part ") for name, parts in sorted(files.items())]
    return " ".join(f"{text}." for text in texts if text)


def _lacking(parts: Sequence[QrPart], before: str) -> str:
    seen, count = {part.number for part in parts}, parts[0].count
    missing = [n for n in range(1, count + 1) if n not in seen]
    return f"{before}{number_ranges(missing)} of {count}" if missing else ""


# --- the numbers of parts -----------------------------------------------------------------


def number_ranges(numbers: Iterable[int]) -> str:
    """``3, 7-9``: ascending numbers as a person writes them, and ``parse_numbers`` reads them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def parse_numbers(text: str, count: int) -> tuple[int, ...] | None:
    """The numbers that ``3, 7-9`` means, from 1 to ``count``; None where it means none."""
    numbers: set[int] = set()
    for piece in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?\s*", piece, re.ASCII)
        if found is None:
            return None
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last <= count:
            return None
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


# --- details ------------------------------------------------------------------------------


def _check(rest: str) -> str:
    """``printf %s "$rest" | sha256sum | cut -c1-4``, in upper case."""
    return hashlib.sha256(rest.encode("ascii")).hexdigest()[:CHECK_DIGITS].upper()


def _packed_name(name: str) -> str:
    """A safe name in the alphanumeric mode: ``%`` turns capitals on and off, ``$`` is ``_``."""
    packed, capitals = [], False
    for char in name:
        if char.isalpha() and char.isupper() != capitals:
            packed.append("%")
            capitals = not capitals
        packed.append("$" if char == "_" else char.upper())
    return "".join(packed)


def _unpacked_name(packed: str) -> str:
    name, capitals = [], False
    for char in packed:
        if char == "%":
            capitals = not capitals
        else:
            name.append("_" if char == "$" else char if capitals else char.lower())
    return "".join(name)


def _decoded(body: str) -> bytes:
    try:
        return base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError as error:
        raise _wrong("its body has a length that base32 does not make") from error


def _wrong(why: str) -> FormatError:
    return FormatError("EXP-4/part", f"This part was not read well: {why}.", "Scan it once more.")


def _foreign(why: str) -> FormatError:
    return FormatError("EXP-4/foreign", f"This does not belong here: {why}.", "Remove this line.")
