"""QR codes set into rows of a terminal, shared by both faces (EXP-4).

Dark on light wherever colours can say so. Where they cannot (``NO_COLOR``), what is drawn shows
in the letters' colour: that is the light part on a light-on-dark terminal, and the dark part
(``inverted``) on the other kind. No terminal says which it is; a person sees it at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.page import Code, Line, Modules, Page
from pai_signer.domain.qr_parts import grouped
from pai_signer.faces.rows import Layout, Row

#: Light around a code, in modules (ISO/IEC 18004:2015, 6.3.8).
QUIET_MODULES: Final = 4
#: The widest row to type, its check and a gap.
SIDE_COLUMNS: Final = 32
_GAP: Final = 2

#: By (upper, lower) is drawn. The Linux console's usual fonts have the first and last only.
_HALVES: Final = {
    (True, True): "█",
    (True, False): "▀",
    (False, True): "▄",
    (False, False): " ",
}
TO_TYPE: Final = "To type instead, with checks:"
NO_ROOM: Final = (
    "The code needs {columns} columns and {rows} rows here. Type these rows instead; behind each "
    "stand the first digits of its SHA-256, without the spaces."
)
#: Of Debian's console fonts (package console-setup-linux 1.221) the one kind that has half blocks
#: and all that the app draws besides; Lat15 and most of Uni2 lack them.
NO_HALVES: Final = (
    "This console's font has no half blocks, which makes the code twice as big. One that has them: "
    "leave, 'setfont Vietnamese-Terminus16', start again."
)

#: What COLORTERM says of 24 bits.
TRUE_COLOUR: Final = ("truecolor", "24bit")
#: Kinds of terminals that know no colours.
_COLOURLESS: Final = ("", "dumb", "unknown")


@dataclass(frozen=True)
class CodeLook:
    """How a terminal can show codes."""

    half_blocks: bool = True
    has_colours: bool = True
    #: Without colours: letters are dark on light here.
    inverted: bool = False

    @property
    def draws_dark(self) -> bool:
        """Whether the dark modules are drawn, or the light ones."""
        return self.has_colours or self.inverted


def is_rich(environ: Mapping[str, str]) -> bool:
    """Whether the terminal says that it has colours beyond 16, and so a font of its own."""
    said = environ.get("COLORTERM") in TRUE_COLOUR
    return "256color" in environ.get("TERM", "") or said


def code_look(environ: Mapping[str, str], *, is_terminal: bool) -> CodeLook:
    """How the command line shows codes; an empty ``NO_COLOR`` counts as not set (no-color.org)."""
    term = environ.get("TERM", "")
    coloured = term not in _COLOURLESS and not term.startswith("vt")
    return CodeLook(
        half_blocks=is_rich(environ) or not is_terminal,
        has_colours=is_terminal and coloured and not environ.get("NO_COLOR"),
    )


def code_columns(code: Code, look: CodeLook) -> int:
    """How wide the code is, with its quiet zone."""
    side = len(code.modules) + 2 * QUIET_MODULES
    return side if look.half_blocks else 2 * side


def drawn_page(
    page: Page, code: Code, layout: Layout, height: int, look: CodeLook, keys: Sequence[str] = ()
) -> tuple[Row, ...] | None:
    """The code with everything else beside it, or below; None where that has no room."""
    width, columns = layout.width, code_columns(code, look)
    drawn = [Row(text, code_cells=columns) for text in _drawn(code.modules, look)]
    room = width - columns - _GAP
    if room >= SIDE_COLUMNS:
        side = _side(page, code, Layout(room, layout.lat15), keys)
        beside = tuple(_joined(drawn, side, columns))
        return beside if len(beside) <= height else None
    below = (*drawn, Row(""), *_side(page, code, layout, keys))
    return below if columns <= width and len(below) <= height else None


def typed_page(page: Page, code: Code, layout: Layout, look: CodeLook) -> tuple[Row, ...]:
    """What to type where the code itself has no room."""
    columns = code_columns(code, look)
    rows = -(-columns // 2)  # a cell is twice as high as wide
    why = NO_ROOM.format(columns=columns, rows=rows)
    return (
        *layout.heading(page.title),
        Row(""),
        *layout.lines(page.lines),
        Row(""),
        *layout.text(why if look.half_blocks else f"{why} {NO_HALVES}"),
        Row(""),
        *layout.lines(_to_type(code)),
    )


def _side(page: Page, code: Code, layout: Layout, keys: Sequence[str]) -> tuple[Row, ...]:
    hints = (Row(""), *(row for key in keys for row in layout.text(key))) if keys else ()
    return (
        *layout.heading(page.title),
        *layout.lines(page.lines),
        Row(""),
        *layout.text(TO_TYPE),
        *layout.lines(_to_type(code)),
        *hints,
    )


def _to_type(code: Code) -> tuple[Line, ...]:
    return tuple(Line(f"{grouped(row)}  {row.check}") for row in code.rows)


def _joined(drawn: Sequence[Row], side: Sequence[Row], columns: int) -> Iterator[Row]:
    for index in range(max(len(drawn), len(side))):
        text = " " * _GAP + side[index].text if index < len(side) else ""
        if index < len(drawn):
            yield Row(drawn[index].text + text, code_cells=columns)
        else:
            yield Row(" " * columns + text)


def _drawn(modules: Modules, look: CodeLook) -> Iterator[str]:
    """Each row of cells; what is True in ``_HALVES`` is drawn, the rest is ground."""
    side = len(modules) + 2 * QUIET_MODULES
    quiet = (False,) * QUIET_MODULES
    empty = ((False,) * side,) * QUIET_MODULES
    dark = (*empty, *((*quiet, *row, *quiet) for row in modules), *empty)
    ink = [[module == look.draws_dark for module in row] for row in dark]
    if not look.half_blocks:
        yield from ("".join(_HALVES[m, m] * 2 for m in row) for row in ink)
        return
    if len(ink) % 2:  # half a row more of quiet zone
        ink.append([not look.draws_dark] * side)
    for upper, lower in zip(ink[::2], ink[1::2], strict=True):
        yield "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
