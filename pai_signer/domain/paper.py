r"""A file on paper: cut into parts, each one QR code and the same text in rows to type (CUS-1).

A code carries whole lines of the file as they are and nothing else, so that any reader of QR
codes and stock commands give the file back. It lacks only the last line end: ``zbarimg --raw``
writes one after each code. A file that is not plain text stands in base64 (RFC 4648, 4).

For a day without a reader, each row carries a check, the first four hex digits of the SHA-256 of
the row: ``printf %s "$row" | sha256sum | cut -c1-4``. A row that ends in ``\`` goes on in the next.
"""

import base64
import hashlib
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.errors import FormatError, PolicyRefused

#: Bytes in a code of version 20 at level Q, which survives the loss of a quarter of it
#: (ISO/IEC 18004:2015, tables 7 and 12). 97 modules of 1 mm: 6 pixels each on a scan at
#: 150 dpi, 25 for a phone that fills its frame with the page's width, where 4 are enough.
CODE_VERSION: Final = 20
CODE_BYTES: Final = 482

#: A minisign key is 0.3 kB, an Ed25519 export 1 kB, an RSA-4096 export with subkeys 7 to 10 kB.
MAX_FILE_BYTES: Final = 16 << 10

ROW_CHARACTERS: Final = 64
#: What fits on a page below its code.
MAX_ROWS: Final = 14
CHECK_DIGITS: Final = 4
GOES_ON: Final = "\\"

#: The list of what was printed, for ``sha256sum -c``: in its form with ``*``, for nobody types
#: two spaces with certainty. Neither a release's
#: manifest nor a tag: its first line sees to that.
LIST_NAME: Final = "PAPER.txt"
LIST_TITLE: Final = "# BACKUP ON PAPER, not a release"


@dataclass(frozen=True)
class Row:
    """One row to type: its number within the file, from 1, its text, its check."""

    number: int
    text: str

    @property
    def check(self) -> str:
        """Four hex digits that a mistyped row has with a chance of 1 in 65,536."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()[:CHECK_DIGITS]


@dataclass(frozen=True)
class Part:
    """What stands on one page: the code's text, and the same as rows."""

    text: str
    rows: tuple[Row, ...]

    @property
    def sha256(self) -> str:
        """Of what ``zbarimg --raw`` prints for this code."""
        return hashlib.sha256(f"{self.text}\n".encode("ascii")).hexdigest()


@dataclass(frozen=True)
class PaperFile:
    """One file in parts; ``sha256`` is the file's own."""

    name: str
    sha256: str
    is_base64: bool
    parts: tuple[Part, ...]


def cut_file(name: str, data: bytes) -> PaperFile:
    """Cut ``data`` into parts; joined again by ``join_parts`` they are ``data``.

    Raises ``FormatError`` for an empty file, ``PolicyRefused`` for one that would take more
    pages than anybody scans.
    """
    if not data:
        raise FormatError(
            "CUS-1/paper-empty",
            f"{name} is empty: there is nothing to print.",
            "Verify the backup: pai-signer backup verify",
        )
    if len(data) > MAX_FILE_BYTES:
        raise PolicyRefused(
            "CUS-1/paper-size",
            f"{name} has {len(data)} bytes; more than {MAX_FILE_BYTES} are not put on paper.",
            "Keep this file on media only.",
        )
    texts = _plain_parts(data)
    is_base64 = texts is None
    if texts is None:
        lines = textwrap.wrap(base64.b64encode(data).decode("ascii"), ROW_CHARACTERS)
        texts = _parts(lines)
    parts, number = [], 1
    for text in texts:
        rows = tuple(Row(number + i, row) for i, row in enumerate(_rows(text.split("\n"))))
        number += len(rows)
        parts.append(Part(text, rows))
    return PaperFile(name, hashlib.sha256(data).hexdigest(), is_base64, tuple(parts))


def join_parts(texts: Iterable[str], *, is_base64: bool) -> bytes:
    """What the stock commands make of the codes' texts, in order; ``ValueError`` if damaged."""
    joined = "".join(f"{text}\n" for text in texts).encode("ascii")
    return base64.b64decode(joined.replace(b"\n", b""), validate=True) if is_base64 else joined


def join_rows(rows: Iterable[str]) -> str:
    r"""The lines that typed rows make: one that ends in ``\`` goes on in the next."""
    return "\n".join(rows).replace(f"{GOES_ON}\n", "")


def list_file(files: Sequence[PaperFile]) -> PaperFile:
    """The list of what was printed; it has one part, for the names are few and ours."""
    lines = [LIST_TITLE, *(f"{file.sha256} *{file.name}" for file in files)]
    made = cut_file(LIST_NAME, "".join(f"{line}\n" for line in lines).encode("ascii"))
    if len(made.parts) != 1 or made.is_base64:
        raise ValueError("the list of the printed files has to fit into one code")
    return made


def cut_files(files: Mapping[str, bytes]) -> tuple[PaperFile, ...]:
    """The list first, then each file in the order given."""
    cut = [cut_file(name, data) for name, data in files.items()]
    return (list_file(cut), *cut)


def _plain_parts(data: bytes) -> list[str] | None:
    """The parts of a file that can stand as it is; None if something in it could get lost.

    What a person would not see, or a reader might trim: anything but printable ASCII, spaces
    at the ends of a line or two in a row, empty lines at the edge of a part. A backslash
    would be taken for a row that goes on.
    """
    text = data.decode("ascii", "replace")
    lines = text.split("\n")
    if lines.pop() != "" or not lines:
        return None
    for line in lines:
        if not line.isascii() or not (line.isprintable() or not line) or GOES_ON in line:
            return None
        if line != line.strip() or "  " in line or len(line) > CODE_BYTES:
            return None
        if len(_rows([line])) > MAX_ROWS:
            return None
    parts = _parts(lines)
    return None if any(part != part.strip("\n") or not part for part in parts) else parts


def _parts(lines: Sequence[str]) -> list[str]:
    """As many whole lines into each part as a code and a page hold."""
    parts: list[list[str]] = []
    for line in lines:
        longer = [*parts[-1], line] if parts else [line]
        if not parts or len("\n".join(longer)) > CODE_BYTES or len(_rows(longer)) > MAX_ROWS:
            parts.append([line])
        else:
            parts[-1] = longer
    return ["\n".join(part) for part in parts]


def _rows(lines: Iterable[str]) -> list[str]:
    """Each line in pieces that fit; none begins with a space, which nobody would type."""
    rows = []
    for line in lines:
        rest = line
        while len(rest) > ROW_CHARACTERS:
            end = ROW_CHARACTERS - (rest[ROW_CHARACTERS] == " ")
            rows.append(f"{rest[:end]}{GOES_ON}")
            rest = rest[end:]
        rows.append(rest)
    return rows
