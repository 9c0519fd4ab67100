"""A picture of what a terminal shows, from ``tmux capture-pane -e``, for readers of QR codes.

As a camera would see it: cells of 8 x 16 pixels, colours as grey, and everything that is not a
block drawn as a smudge, so that a code cannot rest on what stands beside it.
"""

import subprocess
from dataclasses import dataclass
from typing import Final

from tests.shots.capture import PLAIN, Cell, Colour, read_capture

CELL_WIDTH: Final = 8
CELL_HEIGHT: Final = 16

#: The filled part of a block, in sixteenths of the cell's height from the top.
_BLOCKS: Final = {" ": (0, 0), "█": (0, 16), "▀": (0, 8), "▄": (8, 16)}


@dataclass(frozen=True)
class Theme:
    """What the terminal's own colours are."""

    ink: int = 170
    ground: int = 0


DARK: Final = Theme()
LIGHT: Final = Theme(ink=20, ground=250)


def picture(capture: str, theme: Theme = DARK) -> tuple[int, int, bytes]:
    """Width, height and grey pixels of a screen, with a margin in the terminal's colour."""
    rows = read_capture(f"{capture}\n")  # and one row more, for the margin below
    columns = max(map(len, rows))
    pixels = bytearray()
    for row in rows:
        padded = [*row, *[Cell(" ", PLAIN)] * (columns - len(row))]
        for y in range(CELL_HEIGHT):
            pixels += b"".join(_slice(cell, theme, y) for cell in padded)
    return columns * CELL_WIDTH, len(rows) * CELL_HEIGHT, bytes(pixels)


def codes_by_zbar(capture: str, theme: Theme = DARK) -> list[str]:
    """What zbarimg reads from the screen: a program that shares nothing with ours."""
    width, height, pixels = picture(capture, theme)
    pgm = f"P5 {width} {height} 255\n".encode() + pixels
    command = ("zbarimg", "--raw", "--quiet", "-Sdisable", "-Sqrcode.enable", "pgm:-")
    done = subprocess.run(command, input=pgm, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 4), done.stderr  # 4: it saw no code
    return done.stdout.decode().split()


def _slice(cell: Cell, theme: Theme, y: int) -> bytes:
    style = cell.style
    ink = theme.ink if style.ink is None else _grey(style.ink)
    ground = theme.ground if style.ground is None else _grey(style.ground)
    if style.reverse:
        ink, ground = ground, ink
    if cell.text not in _BLOCKS:
        half = CELL_WIDTH // 4
        inside = 4 <= y < 13
        return bytes([ground] * half + [ink if inside else ground] * 4 + [ground] * half)
    first, last = _BLOCKS[cell.text]
    return bytes([ink if first <= y < last else ground]) * CELL_WIDTH


def _grey(colour: Colour) -> int:
    red, green, blue = colour
    return (299 * red + 587 * green + 114 * blue) // 1000
