"""The pages of a backup on paper: what to read, what to scan, what to type (CUS-1).

A4, and everything within the area that US Letter shows of it, however a printer crops it.
Each page holds one part of one file, so that no order can be lost within a scan; the first
page is the list of the files and says how all is put together with stock tools.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai_signer.domain.page import group_rows
from pai_signer.domain.paper import CODE_VERSION, ROW_CHARACTERS, PaperFile, Part, Row
from pai_signer.domain.pdf import A4_HEIGHT, POINT, PdfPage, Text
from pai_signer.errors import FormatError

#: One dark or light square of a code: 0.988 mm (ISO/IEC 18004, 5.3.1 calls it a module).
MODULE: Final = 280
#: The light border that a reader needs (ISO/IEC 18004, 5.3.8).
QUIET_MODULES: Final = 4

#: Margins of 15 mm at the sides. Letter is 50 points lower than A4: it may lose them above
#: or below, and a printer keeps 12 more for itself.
LEFT: Final = 43 * POINT
RIGHT: Final = 552 * POINT
TOP: Final = A4_HEIGHT - 68 * POINT
BOTTOM: Final = 68 * POINT

_TITLE_POINTS: Final = 12
_SMALL_POINTS: Final = 9
#: Only rows have this size, which is how ``rows_on`` knows them.
_ROW_POINTS: Final = 10
_SMALL_LEADING: Final = 11 * POINT
_ROW_LEADING: Final = 13 * POINT

CODE_TOP: Final = TOP - 34 * POINT
_CODE_MODULES: Final = 17 + 4 * CODE_VERSION + 2 * QUIET_MODULES
_COLUMN: Final = LEFT + _CODE_MODULES * MODULE + 10 * POINT
_COLUMN_CHARACTERS: Final = 37
_LINE_CHARACTERS: Final = 94

READER: Final = "zbarimg --raw -Sdisable -Sqrcode.enable"
PACKAGES: Final = "zbar-tools, coreutils, sed, minisign, gpg"

#: Prints the check of each row of typed.txt.
CHECK_COMMAND: Final = (
    'while IFS= read -r row; do printf %s "$row" | sha256sum | cut -c1-4; done < typed.txt'
)
#: Joins the rows that go on in the next.
JOIN_COMMAND: Final = r"sed -e :a -e '/\\$/N; s/\\\n//; ta' typed.txt"

_USES: Final = {
    "minisign.key": "minisign -R -s minisign.key -p minisign.pub",
    "gpg-secret.asc": "gpg --import gpg-secret.asc",
    "revocations.gpg": "gpg --decrypt revocations.gpg | tar -x",
}


@dataclass(frozen=True)
class PaperFacts:
    """Whose keys these are; ``keys`` are pairs of an algorithm's name and a key's full ID."""

    project: str
    rehearsal: bool
    custodian: str
    number: int
    made_at: datetime
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sheet:
    """One page; its code is drawn with its quiet zone's corner at ``LEFT``, ``CODE_TOP``."""

    texts: tuple[Text, ...]
    part: Part


def render_sheets(facts: PaperFacts, files: Sequence[PaperFile]) -> tuple[Sheet, ...]:
    """All pages; ``files`` begins with the list (``paper.cut_files``)."""
    pages = [(file, index) for file in files for index in range(len(file.parts))]
    sheets = []
    for count, (file, index) in enumerate(pages, start=1):
        part = file.parts[index]
        is_first = count == 1
        beside = _facts(facts, file, index)
        below = _cover(facts, files) if is_first else _by_hand(file)
        column = _Column()
        column.title("BACKUP ON PAPER, not a release" if is_first else "BACKUP ON PAPER")
        if facts.rehearsal:
            column.title("REHEARSAL: practice keys, good for nothing else")
        column.jump_to(CODE_TOP)
        column.small(beside, left=_COLUMN)
        column.jump_to(CODE_TOP - _CODE_MODULES * MODULE)  # all pages look alike
        column.rows(part.rows)
        column.small(below)
        footer = f"{facts.project}, backup set {facts.number:06}, {facts.custodian}"
        column.footer(footer, f"page {count} of {len(pages)}")
        sheets.append(Sheet(column.texts, part))
    return tuple(sheets)


def scan_name(file: PaperFile, index: int) -> str:
    """What to call the scan of a page, so that ``FILE.*.png`` is its parts in order."""
    return f"{file.name}.{index + 1:02}.png"


def page_test(file: PaperFile, index: int) -> tuple[str, str, str]:
    """How to try one printed page: the name of its scan, the command, and what that prints."""
    name = scan_name(file, index)
    return name, f"{READER} {name} | sha256sum", file.parts[index].sha256


def reading_command(file: PaperFile) -> str:
    """The stock command that makes the file from the scans of its pages."""
    decode = " | base64 -d" if file.is_base64 else ""
    return f"{READER} {file.name}.*.png{decode} > {file.name}"


def typing_command(file: PaperFile) -> str:
    """The stock command that makes the file from its typed rows."""
    return f"{JOIN_COMMAND}{' | base64 -d' if file.is_base64 else ''} > {file.name}"


def rows_on(page: PdfPage) -> tuple[Row, ...]:
    """The rows that stand on a page; ``FormatError`` if one does not agree with its check."""
    rows = []
    for line in (text.text for text in page.texts if text.size_points == _ROW_POINTS):
        found = re.fullmatch(r" *(\d+)  (.*?) *  ([0-9a-f]{4})", line)
        row = Row(int(found[1]), found[2]) if found else None
        if found is None or row is None or row.check != found[3]:
            raise FormatError(
                "CUS-1/paper-row",
                "A row on a page does not agree with its check.",
                "Make the pages anew.",
            )
        rows.append(row)
    return tuple(rows)


# --- what stands on a page -----------------------------------------------------------------


def _facts(facts: PaperFacts, file: PaperFile, index: int) -> list[str]:
    part = file.parts[index]
    name, command, digest = page_test(file, index)
    labelled = [
        ("file", file.name),
        ("part", f"{index + 1} of {len(file.parts)}"),
        ("rows", f"{part.rows[0].number} to {part.rows[-1].number}"),
        ("project", facts.project),
        ("custodian", facts.custodian),
        ("backup set", f"{facts.number:06}"),
        ("made", f"{facts.made_at:%Y-%m-%d} UTC"),
    ]
    return [
        *(row for label, value in labelled for row in _labelled(label, value)),
        "",
        "SCAN THIS PAGE AS",
        f"  {name}",
        "",
        "TEST IT BEFORE IT IS PUT AWAY",
        *_command(command, _COLUMN_CHARACTERS),
        "prints",
        *group_rows(digest),
        "",
        f"SHA-256 of the whole {file.name}",
        *group_rows(file.sha256),
    ]


def _by_hand(file: PaperFile) -> list[str]:
    return [
        "",
        "WITHOUT A SCANNER: type the rows, without numbers and checks, into typed.txt. A row that",
        "ends in \\ goes on in the next. Check what was typed: this prints the checks, row by row.",
        f"  {CHECK_COMMAND}",
        f"With the rows of all parts of {file.name} in typed.txt:",
        f"  {typing_command(file)}",
        f"  sha256sum {file.name}",
        "",
        "Page 1 says what to do with the files. Whoever has an image of this page can guess at",
        "the passphrase at leisure: no photograph stays anywhere, least of all on a telephone.",
    ]


def _cover(facts: PaperFacts, files: Sequence[PaperFile]) -> list[str]:
    contents, *kept = files
    number = 2
    lines = ["", "THE PAGES"]
    for file in kept:
        last = number + len(file.parts) - 1
        pages = f"page {number}" if last == number else f"pages {number} to {last}"
        lines.append(f"  {file.name:<16} {pages}")
        number = last + 1
    lines += [
        "",
        "TO RESTORE, on a machine without a network. Scan each page (300 dpi, grey), each under",
        f"the name that it gives. Debian packages: {PACKAGES}.",
        *(f"  {reading_command(file)}" for file in (*kept, contents)),
        f"  sha256sum -c {contents.name}",
        *(f"  {_USES[file.name]}" for file in kept if file.name in _USES),
        "Each asks for the custodian's passphrase, which is on no paper here. Where the project's",
        "newest public key is at hand, import it too: an old copy may read as expired. The keys:",
    ]
    for system, key_id in facts.keys:
        lines += textwrap.wrap(
            f"  {system:<9} {key_id}", _LINE_CHARACTERS, subsequent_indent=" " * 12
        )
    lines += [
        "",
        "Without a scanner: each page says how to type its rows, and how they are checked.",
        "Keep the pages like the medium: dry, dark, apart from it, and never with the passphrase.",
        "A telephone reads the codes too, but it is no offline machine.",
    ]
    return lines


def _labelled(label: str, value: str) -> list[str]:
    indent = 11
    rows = textwrap.wrap(_ascii(value), _COLUMN_CHARACTERS - indent) or [""]
    return [f"{label if i == 0 else '':<{indent}}{row}" for i, row in enumerate(rows[:3])]


def _command(command: str, width: int) -> list[str]:
    r"""A command in lines that a shell takes as one, by ``\`` at their ends."""
    rows = textwrap.wrap(command, width - 4, break_long_words=False, break_on_hyphens=False)
    return [f"  {row} \\" for row in rows[:-1]] + [f"  {row}" for row in rows[-1:]]


def _ascii(text: str) -> str:
    """Courier's standard encoding is not for every name; what it lacks is escaped."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


class _Column:
    """Sets lines from the top of a page downwards."""

    def __init__(self) -> None:
        self._y = TOP
        self._texts: list[Text] = []

    @property
    def texts(self) -> tuple[Text, ...]:
        return tuple(self._texts)

    def jump_to(self, y: int) -> None:
        self._y = y

    def title(self, line: str) -> None:
        self._y -= _TITLE_POINTS * POINT
        self._add(LEFT, _TITLE_POINTS, line, bold=True)

    def small(self, lines: Iterable[str], *, left: int = LEFT) -> None:
        for line in lines:
            self._y -= _SMALL_LEADING
            self._add(left, _SMALL_POINTS, line)

    def rows(self, rows: Sequence[Row]) -> None:
        self.small(("row  text" + " " * 72 + "check",))
        for row in rows:
            self._y -= _ROW_LEADING
            line = f"{row.number:>3}  {row.text:<{ROW_CHARACTERS + 1}}  {row.check}"
            self._add(LEFT, _ROW_POINTS, line)

    def footer(self, left: str, right: str) -> None:
        if self._y < BOTTOM + _SMALL_LEADING:
            raise ValueError("a page holds more than fits on it")
        self._y = BOTTOM
        room = _LINE_CHARACTERS - len(right) - 2
        self._add(LEFT, _SMALL_POINTS, f"{_ascii(left)[:room]:<{room}}  {right}")

    def _add(self, left: int, size_points: int, line: str, *, bold: bool = False) -> None:
        text = Text(left, self._y, size_points, _ascii(line), bold)
        if left + text.width > RIGHT:
            raise ValueError(f"a line is too long for its page: {line}")
        if line:
            self._texts.append(text)
