"""What ``tmux capture-pane -e`` says, as rows of cells with their colours.

SGR as ECMA-48, 8.3.117 and ISO 8613-6 have it; a colour that is not set is the terminal's own.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pai_signer.faces.rows import cells

#: Red, green, blue, each from 0 to 255.
Colour = tuple[int, int, int]

#: The 16 colours of the Linux console (drivers/tty/vt/vt.c), as they are: 7 is no white.
CONSOLE_PALETTE: Final[tuple[Colour, ...]] = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0)),
    *((0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)),
    *((85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85)),
    *((85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255)),
)
_CUBE_STEPS: Final = (0, 95, 135, 175, 215, 255)
_FIRST_GREY: Final = 232

#: All that tmux writes into a capture: SGR, shifts between character sets, characters. Another
#: escape would be no capture of ours; it is dropped whole, up to its last byte.
_TOKEN: Final = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\[[ -?]*[@-~]|\x1b[ -/]*[0-~]|[\x0e\x0f]|(.)")


@dataclass(frozen=True)
class Style:
    """How a cell is drawn; None is the terminal's own colour."""

    ink: Colour | None = None
    ground: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    #: Which of the first eight colours the ink is, which some consoles draw bright where bold.
    base_ink: int | None = None


@dataclass(frozen=True)
class Cell:
    """A character, with the marks that combine with it, and how many columns it takes."""

    text: str
    style: Style
    columns: int = 1


PLAIN: Final = Style()


def read_capture(capture: str) -> list[list[Cell]]:
    """Rows of cells; colours last over the ends of lines, as tmux writes them."""
    style = PLAIN
    rows: list[list[Cell]] = []
    for line in capture.removesuffix("\n").split("\n"):
        row: list[Cell] = []
        for found in _TOKEN.finditer(line):
            if found[2] is not None:
                _put(row, found[2], style)
            elif found[1] is not None:
                style = _after(style, found[1])
        rows.append(row)
    return rows


def indexed(number: int) -> Colour:
    """One of the 256 colours: 16 named, a cube of six steps, 24 greys."""
    if number < len(CONSOLE_PALETTE):
        return CONSOLE_PALETTE[number]
    if number >= _FIRST_GREY:
        level = 8 + 10 * (number - _FIRST_GREY)
        return (level, level, level)
    n = number - len(CONSOLE_PALETTE)
    return (_CUBE_STEPS[n // 36], _CUBE_STEPS[n // 6 % 6], _CUBE_STEPS[n % 6])


def _put(row: list[Cell], char: str, style: Style) -> None:
    if row and _combines(char):
        row[-1] = replace(row[-1], text=row[-1].text + char)
    else:
        row.append(Cell(char, style, cells(char)))


def _combines(char: str) -> bool:
    # What ``cells`` counts as one is a letter or a mark; a mark has no place of its own.
    return unicodedata.category(char) in ("Mn", "Me")


_SWITCHES: Final[dict[int, Callable[[Style], Style]]] = {
    1: lambda style: replace(style, bold=True),
    2: lambda style: replace(style, dim=True),
    3: lambda style: replace(style, italic=True),
    4: lambda style: replace(style, underline=True),
    7: lambda style: replace(style, reverse=True),
    22: lambda style: replace(style, bold=False, dim=False),
    23: lambda style: replace(style, italic=False),
    24: lambda style: replace(style, underline=False),
    27: lambda style: replace(style, reverse=False),
    39: lambda style: replace(style, ink=None, base_ink=None),
    49: lambda style: replace(style, ground=None),
}


def _after(style: Style, parameters: str) -> Style:
    # "4:3", a kind of underline, is told from "4;3" by the colon alone (ISO 8613-6).
    left = [int(part.partition(":")[0] or 0) for part in parameters.split(";")]
    while left:
        code = left.pop(0)
        if code == 0:
            style = PLAIN
        elif code in _SWITCHES:
            style = _SWITCHES[code](style)
        elif code == 38:
            style = replace(style, ink=_extended(left), base_ink=None)
        elif code == 48:
            style = replace(style, ground=_extended(left))
        elif 30 <= code <= 37:
            style = replace(style, ink=indexed(code - 30), base_ink=code - 30)
        elif 90 <= code <= 97:
            style = replace(style, ink=indexed(code - 82), base_ink=None)
        elif 40 <= code <= 47:
            style = replace(style, ground=indexed(code - 40))
        elif 100 <= code <= 107:
            style = replace(style, ground=indexed(code - 92))
    return style


def _extended(left: list[int]) -> Colour:
    if left.pop(0) == 2:
        red, green, blue = left[:3]
        del left[:3]
        return (red, green, blue)
    return indexed(left.pop(0))
