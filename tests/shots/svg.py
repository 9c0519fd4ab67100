"""A terminal's screen as an SVG picture: rows of text on their grid, in a plain window."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from tests.shots.capture import Cell, Colour
from tests.shots.modes import Look, Tube, look_of

#: Whole pixels, so that blocks meet; letters of most fonts are 0.6 of their size wide.
CELL_WIDTH: Final = 9
CELL_HEIGHT: Final = 18
_FONT_SIZE: Final = 15
_BASELINE: Final = 14
_MARGIN: Final = 12
_TITLE_HEIGHT: Final = 30
_FONTS: Final = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"
_FRAME: Final[Colour] = (59, 66, 82)
_TITLE_INK: Final[Colour] = (216, 222, 233)

#: Drawn, not written: a font's blocks and lines leave gaps. Parts: left, top, right, bottom.
_HALF_X: Final = CELL_WIDTH // 2
_HALF_Y: Final = CELL_HEIGHT // 2
_LEFT: Final = (0, _HALF_Y, _HALF_X + 1, _HALF_Y + 1)
_RIGHT: Final = (_HALF_X, _HALF_Y, CELL_WIDTH, _HALF_Y + 1)
_UP: Final = (_HALF_X, 0, _HALF_X + 1, _HALF_Y + 1)
_DOWN: Final = (_HALF_X, _HALF_Y, _HALF_X + 1, CELL_HEIGHT)
_ALONG: Final = (0, _HALF_Y, CELL_WIDTH, _HALF_Y + 1)
_SHAPES: Final = {
    "█": ((0, 0, CELL_WIDTH, CELL_HEIGHT),),
    "▀": ((0, 0, CELL_WIDTH, _HALF_Y),),
    "▄": ((0, _HALF_Y, CELL_WIDTH, CELL_HEIGHT),),
    "─": (_ALONG,),
    "│": (_UP, _DOWN),
    "┌": (_RIGHT, _DOWN),
    "┐": (_LEFT, _DOWN),
    "└": (_RIGHT, _UP),
    "┘": (_LEFT, _UP),
}
#: What may be drawn as one from cell to cell.
_ACROSS: Final = frozenset("█▀▄─")


def svg(rows: Sequence[Sequence[Cell]], tube: Tube, title: str, *, columns: int = 80) -> str:
    """The picture; whatever stands in the cells is text in it, never markup."""
    wide = columns * CELL_WIDTH
    high = len(rows) * CELL_HEIGHT
    width, height = wide + 2 * _MARGIN, high + 2 * _MARGIN + _TITLE_HEIGHT
    said = written(title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" xml:space="preserve">',
        f"<title>{said}</title>",
        f'<g font-family="{_FONTS}" font-size="{_FONT_SIZE}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{_hex(_FRAME)}"/>',
        f'<text x="{width // 2}" y="20" text-anchor="middle" font-size="13" '
        f'fill="{_hex(_TITLE_INK)}">{said}</text>',
        f'<rect y="{_TITLE_HEIGHT}" width="{width}" height="{high + 2 * _MARGIN}" '
        f'fill="{_hex(tube.ground)}"/>',
        f'<g transform="translate({_MARGIN} {_TITLE_HEIGHT + _MARGIN})">',
    ]
    for number, row in enumerate(rows):
        runs = list(_runs(row, tube))
        parts += _grounds(runs, number, tube)
        parts += _letters(runs, number)
    return "\n".join((*parts, "</g>", "</g>", "</svg>", ""))


def written(text: str) -> str:
    """``text`` for XML: escaped, and without the characters that XML 1.0 cannot hold (2.2)."""
    return escape("".join(char if _is_char(char) else "\ufffd" for char in text))


def _is_char(char: str) -> bool:
    return (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff") or (
        char in "\t\n"
    )


#: Look, first column, columns, text; cells of one kind, so that the text keeps its grid.
Run = tuple[Look, int, int, str]


def _runs(row: Sequence[Cell], tube: Tube) -> Iterator[Run]:
    column = 0
    placed = []
    for cell in row:
        placed.append((column, cell, look_of(cell.style, tube)))
        column += cell.columns

    def kind(item: tuple[int, Cell, Look]) -> tuple[object, ...]:
        at, cell, look = item
        if cell.text in _SHAPES:
            return (look, cell.text, at if cell.text not in _ACROSS else None)
        # A letter with marks, or of two columns, stands alone: fonts differ in their width.
        return (look, at if len(cell.text) > 1 or cell.columns > 1 else None)

    for _, items in groupby(placed, kind):
        run = list(items)
        taken = sum(cell.columns for _, cell, _ in run)
        yield run[0][2], run[0][0], taken, "".join(cell.text for _, cell, _ in run)


def _grounds(runs: Sequence[Run], row: int, tube: Tube) -> Iterator[str]:
    for ground, group in groupby(runs, lambda run: run[0].ground):
        if ground == tube.ground:
            continue
        same = list(group)
        first, taken = same[0][1], sum(run[2] for run in same)
        yield _rect(first, row, (0, 0, taken * CELL_WIDTH, CELL_HEIGHT), ground)


def _letters(runs: Sequence[Run], row: int) -> Iterator[str]:
    for look, first, taken, text in runs:
        if text[0] in _SHAPES:
            for left, top, right, bottom in _SHAPES[text[0]]:
                to = right + (taken - 1) * CELL_WIDTH
                yield _rect(first, row, (left, top, to, bottom), look.ink)
            continue
        if look.underline:
            line = (0, CELL_HEIGHT - 2, taken * CELL_WIDTH, CELL_HEIGHT - 1)
            yield _rect(first, row, line, look.ink)
        bare = text.strip(" ")
        if bare:
            skipped = len(text) - len(text.lstrip(" "))
            columns = taken - (len(text) - len(bare))
            yield _text(look, first + skipped, columns, row, bare)


def _text(look: Look, first: int, columns: int, row: int, text: str) -> str:
    x, y = first * CELL_WIDTH, row * CELL_HEIGHT + _BASELINE
    bold = ' font-weight="bold"' if look.bold else ""
    italic = ' font-style="italic"' if look.italic else ""
    return (
        f'<text x="{x}" y="{y}" textLength="{columns * CELL_WIDTH}" '
        f'fill="{_hex(look.ink)}"{bold}{italic}>{written(text)}</text>'
    )


def _rect(column: int, row: int, part: tuple[int, int, int, int], colour: Colour) -> str:
    left, top, right, bottom = part
    return (
        f'<rect x="{column * CELL_WIDTH + left}" y="{row * CELL_HEIGHT + top}" '
        f'width="{right - left}" height="{bottom - top}" fill="{_hex(colour)}"/>'
    )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
