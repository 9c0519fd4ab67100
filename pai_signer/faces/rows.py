"""Pages set into rows of sanitised plain text: the one way from data to a screen (SEC-3).

Both faces draw what comes out of here, so a hostile file name can neither
script a terminal nor break a line, whichever face shows it.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.text import safe_text

#: Beyond Latin-9 (ISO 8859-15), what Debian's Lat15 console fonts are known to hold.
CONSOLE_EXTRAS: Final = frozenset("─│═║█░■●•…←→▶")
MAX_LABEL_CELLS: Final = 26
_GAP: Final = 2
# Letters that a terminal may draw from right to left, out of the order of their bytes.
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


@dataclass(frozen=True)
class Row:
    """One row of a screen, already sanitised and no wider than asked for.

    The first ``label_cells`` cells are the label; ``mark``, where there is one,
    is the end of ``text``. Faces may colour both; the words say it all. The first
    ``code_cells`` cells are of a QR code, which wants black on white (EXP-4).
    """

    text: str
    label_cells: int = 0
    mark: Mark = Mark.NONE
    is_heading: bool = False
    code_cells: int = 0


def shown(text: str, *, lat15: bool) -> str:
    r"""``text`` as a person may see it: sanitised, one cell grid, nothing reordered.

    Where the font is Lat15 (a Linux console), glyphs that it lacks appear as ``\uNNNN``
    (FACE-2); everywhere, so do combining marks and right-to-left letters.
    """
    return "".join(_shown_char(char, lat15) for char in safe_text(text))


def _shown_char(char: str, lat15: bool) -> str:
    if char < "\x7f":
        return char
    deceptive = (
        unicodedata.category(char).startswith("M")
        or unicodedata.bidirectional(char) in _RIGHT_TO_LEFT
    )
    missing = lat15 and char not in CONSOLE_EXTRAS and not _is_latin9(char)
    if not deceptive and not missing:
        return char
    point = ord(char)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _is_latin9(char: str) -> bool:
    try:
        char.encode("iso8859-15")
    except UnicodeEncodeError:
        return False
    return True


def cells(text: str) -> int:
    """How many columns sanitised ``text`` takes; East Asian wide letters take two."""
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Sanitised ``text`` in at most ``width`` columns; a cut ends in ``…``."""
    if cells(text) <= width:
        return text
    kept: list[str] = []
    room = width - 1
    for char in text:
        room -= _cells(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + "…" if width > 0 else ""


def wrapped(text: str, width: int) -> list[str]:
    """Sanitised ``text`` in rows of at most ``width`` columns, broken at spaces where it can be."""
    rows: list[str] = []
    rest = text
    while cells(rest) > width:
        end = _fitting(rest, width)
        space = rest.rfind(" ", 1, end + 1)
        at = space if space > 0 and rest[:space].strip() else end
        rows.append(rest[:at].rstrip())
        rest = rest[at:].lstrip(" ")
    return [*rows, rest] if rest or not rows else rows


def _fitting(text: str, width: int) -> int:
    """How many characters of ``text`` fit, at least one, so that wrapping always ends."""
    room = width
    for index, char in enumerate(text):
        room -= _cells(char)
        if room < 0:
            return max(index, 1)
    return len(text)


@dataclass(frozen=True)
class Layout:
    """Sets pages for one width and one kind of font."""

    width: int
    lat15: bool = False

    def page(self, page: Page) -> tuple[Row, ...]:
        """A heading, an empty row, and the page's lines."""
        return (*self.heading(page.title), Row(""), *self.lines(page.lines))

    def pages(self, pages: Iterable[Page]) -> tuple[Row, ...]:
        """Several pages under each other."""
        rows: list[Row] = []
        for page in pages:
            if rows:
                rows.append(Row(""))
            rows.extend(self.page(page))
        return tuple(rows)

    def heading(self, title: str, right: str = "") -> tuple[Row, ...]:
        """A title at the left and a short note at the right."""
        note = self.shown(right)
        first, *more = wrapped(self.shown(title), max(self.width - cells(note) - _GAP, 1))
        gap = " " * (self.width - cells(first) - cells(note)) if note else ""
        return (
            Row(first + gap + note, is_heading=True),
            *(Row(text, is_heading=True) for text in more),
        )

    def text(self, text: str, indent: int = 0) -> tuple[Row, ...]:
        """Plain text, wrapped."""
        pad = " " * indent
        parts = wrapped(self.shown(text), max(self.width - indent, 1))
        return tuple(Row(pad + part) for part in parts)

    def lines(self, lines: Sequence[Line]) -> tuple[Row, ...]:
        """Lines under each other, their texts in one column."""
        labels = [cells(self.shown(line.label)) for line in lines]
        column = max((n for n in labels if n <= MAX_LABEL_CELLS), default=0)
        rows: list[Row] = []
        for line in lines:
            rows.extend(self._line(line, column + _GAP if column else 0))
        return tuple(rows)

    def shown(self, text: str) -> str:
        """``text`` sanitised for this font."""
        return shown(text, lat15=self.lat15)

    def _line(self, line: Line, column: int) -> list[Row]:
        rows: list[Row] = []
        label, mark = self.shown(line.label), line.mark.value
        if cells(label) > max(column - _GAP, 0):
            # Too long for the column: it gets rows of its own, and nothing of it is lost.
            rows.extend(Row(part, label_cells=cells(part)) for part in wrapped(label, self.width))
            label = ""
        # Text without a label starts at the margin only where no line has one.
        room = self.width - column - (len(mark) + _GAP if mark else 0)
        parts = wrapped(self.shown(line.text), max(room, 1))
        for index, part in enumerate(parts):
            head = label if index == 0 else ""
            text = head + " " * (column - cells(head)) + part
            is_last = index == len(parts) - 1
            if is_last and mark:
                text += " " * (self.width - cells(text) - len(mark)) + mark
            rows.append(Row(text.rstrip(), cells(head), mark=line.mark if is_last else Mark.NONE))
        return rows
