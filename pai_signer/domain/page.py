"""Pages that a person reads, as data; each face draws them in its own way.

The text in a ``Line`` may come from outside: faces pass every string through
``safe_text`` when they draw it, so that no page builder has to remember to.
"""

import enum
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.paper import Row

#: 64 hex digits stand as two lines of four groups at 80 columns.
GROUP_LENGTH: Final = 8
GROUPS_PER_LINE: Final = 4


class Mark(enum.Enum):
    """A status in words, since colour and glyphs may be missing (FACE-2)."""

    NONE = ""
    OK = "[OK]"
    WARN = "[WARN]"
    FAIL = "[FAIL]"
    WAIVED = "[WAIVED]"


@dataclass(frozen=True)
class Line:
    """One row: a label at the left, text, and a mark at the right."""

    text: str = ""
    label: str = ""
    mark: Mark = Mark.NONE


#: The dark (True) and light modules of a QR code, row by row, without the quiet zone.
Modules = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Code:
    """A QR code to scan from the screen, and the same as rows to type (EXP-4)."""

    modules: Modules
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Page:
    """One fact to read (REV-1); or one ``code`` to scan, with the lines beside it (EXP-4)."""

    title: str
    lines: tuple[Line, ...]
    code: Code | None = None


def digest_lines(label: str, digest_hex: str, mark: Mark = Mark.NONE) -> tuple[Line, ...]:
    """A hex digest in groups of 8, four to a line, so that two can be compared by eye."""
    rows = group_rows(digest_hex)
    return tuple(
        Line(
            text=row, label=label if i == 0 else "", mark=mark if i == len(rows) - 1 else Mark.NONE
        )
        for i, row in enumerate(rows)
    )


def group_rows(digest_hex: str) -> list[str]:
    """``digest_hex`` in groups of 8 characters, four groups to a row."""
    groups = [digest_hex[i : i + GROUP_LENGTH] for i in range(0, len(digest_hex), GROUP_LENGTH)]
    return [
        " ".join(groups[i : i + GROUPS_PER_LINE]) for i in range(0, len(groups), GROUPS_PER_LINE)
    ]
