"""A picture of what a terminal shows, from ``tmux capture-pane -e``, for readers of QR codes.

As a camera would see it: cells of 8 x 16 pixels, colours as grey, and everything that is not a
block drawn as a smudge, so that a code cannot rest on what stands beside it.
"""

import re
import subprocess
from dataclasses import dataclass, replace
from typing import Final

CELL_WIDTH: Final = 8
CELL_HEIGHT: Final = 16

#: The 16 colours of the Linux console (drivers/tty/vt/vt.c), as they are: 7 is no white.
_PALETTE: Final = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0)),
    *((0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)),
    *((85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85)),
    *((85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255)),
)
#: All that tmux writes into a capture: SGR, shifts between character sets, characters.
_TOKEN: Final = re.compile(r"\x1b\[([0-9;]*)m|[\x0e\x0f]|(.)")

#: The filled part of a block, in sixteenths of the cell's height from the top.
_BLOCKS: Final = {" ": (0, 0), "█": (0, 16), "▀": (0, 8), "▄": (8, 16)}


@dataclass(frozen=True)
class Pen:
    """Colours in force, as grey from 0 to 255."""

    ink: int
    ground: int
    reverse: bool = False


@dataclass(frozen=True)
class Theme:
    """What the terminal's own colours are."""

    ink: int = 170
    ground: int = 0


DARK: Final = Theme()
LIGHT: Final = Theme(ink=20, ground=250)


def picture(capture: str, theme: Theme = DARK) -> tuple[int, int, bytes]:
    """Width, height and grey pixels of a screen, with a margin in the terminal's colour."""
    pen = Pen(theme.ink, theme.ground)
    rows: list[list[tuple[str, Pen]]] = []
    for line in capture.split("\n"):
        row: list[tuple[str, Pen]] = []
        for found in _TOKEN.finditer(line):
            if found[2] is not None:
                row.append((found[2], pen))
            elif found[1] is not None:
                pen = _after(pen, [int(n or 0) for n in found[1].split(";")], theme)
        rows.append(row)
    columns = max(map(len, rows))
    pixels = bytearray()
    for row in rows:
        cells = [*row, *[(" ", Pen(theme.ink, theme.ground))] * (columns - len(row))]
        for y in range(CELL_HEIGHT):
            pixels += b"".join(_slice(char, used, y) for char, used in cells)
    return columns * CELL_WIDTH, len(rows) * CELL_HEIGHT, bytes(pixels)


def codes_by_zbar(capture: str, theme: Theme = DARK) -> list[str]:
    """What zbarimg reads from the screen: a program that shares nothing with ours."""
    width, height, pixels = picture(capture, theme)
    pgm = f"P5 {width} {height} 255\n".encode() + pixels
    command = ("zbarimg", "--raw", "--quiet", "-Sdisable", "-Sqrcode.enable", "pgm:-")
    done = subprocess.run(command, input=pgm, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 4), done.stderr  # 4: it saw no code
    return done.stdout.decode().split()


def _slice(char: str, pen: Pen, y: int) -> bytes:
    ink, ground = (pen.ground, pen.ink) if pen.reverse else (pen.ink, pen.ground)
    if char not in _BLOCKS:
        half = CELL_WIDTH // 4
        inside = 4 <= y < 13
        return bytes([ground] * half + [ink if inside else ground] * 4 + [ground] * half)
    first, last = _BLOCKS[char]
    return bytes([ink if first <= y < last else ground]) * CELL_WIDTH


def _after(pen: Pen, codes: list[int], theme: Theme) -> Pen:
    """SGR as ECMA-48, 8.3.117 and ISO 8613-6 have it; what has no colour is let pass."""
    left = list(codes)
    while left:
        code = left.pop(0)
        if code == 0:
            pen = Pen(theme.ink, theme.ground)
        elif code in (7, 27):
            pen = replace(pen, reverse=code == 7)
        elif code in (38, 48):
            grey = _extended(left)
            pen = replace(pen, ink=grey) if code == 38 else replace(pen, ground=grey)
        elif code in (39, 49):
            pen = replace(pen, ink=theme.ink) if code == 39 else replace(pen, ground=theme.ground)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            pen = replace(pen, ink=_grey(_PALETTE[code - 30 if code < 40 else code - 82]))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            pen = replace(pen, ground=_grey(_PALETTE[code - 40 if code < 50 else code - 92]))
    return pen


def _extended(left: list[int]) -> int:
    if left.pop(0) == 2:
        red, green, blue = left[:3]
        del left[:3]
        return _grey((red, green, blue))
    number = left.pop(0)
    if number < 16:
        return _grey(_PALETTE[number])
    if number >= 232:
        return 8 + 10 * (number - 232)
    steps = (0, 95, 135, 175, 215, 255)
    n = number - 16
    return _grey((steps[n // 36], steps[n // 6 % 6], steps[n % 6]))


def _grey(colour: tuple[int, int, int]) -> int:
    red, green, blue = colour
    return (299 * red + 587 * green + 114 * blue) // 1000
