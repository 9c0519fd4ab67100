"""The four kinds of terminal that every screen has to serve (FACE-2), and what each can show.

A screen for which colour alone says something reads no less on the last two, or it is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.shots.capture import Colour, Style, indexed

_WHITE: Final = 7
_BRIGHT: Final = 8


@dataclass(frozen=True)
class Tube:
    """What a terminal makes of the colours that a program asks for."""

    ink: Colour = (216, 222, 233)
    ground: Colour = (0, 0, 0)
    #: A tube of one colour drops what it does not know: it has bold, underline and reverse.
    has_colours: bool = True
    #: The Linux console has one weight of letters: bold is bright (drivers/tty/vt/vt.c).
    bold_is_bright: bool = False


@dataclass(frozen=True)
class Look:
    """A style as a tube shows it."""

    ink: Colour
    ground: Colour
    bold: bool = False
    italic: bool = False
    underline: bool = False


@dataclass(frozen=True)
class Mode:
    """How the program is started, and on what it is seen."""

    name: str
    title: str
    term: str
    environ: Mapping[str, str] = field(default_factory=dict)
    tube: Tube = field(default_factory=Tube)
    #: Whether the font holds no more than Lat15.
    lat15: bool = False


_CONSOLE_TUBE: Final = Tube(ink=indexed(_WHITE), bold_is_bright=True)
PICTURES_MODE: Final = Mode("truecolor", "true colour", "tmux-256color", {"COLORTERM": "truecolor"})
MODES: Final = (
    PICTURES_MODE,
    Mode("console", "Linux console, 16 colours", "linux", tube=_CONSOLE_TUBE, lat15=True),
    Mode("no-color", "NO_COLOR=1", "tmux-256color", {"NO_COLOR": "1"}),
    Mode("vt220", "VT220, monochrome", "vt220", tube=Tube(has_colours=False), lat15=True),
)


def look_of(style: Style, tube: Tube) -> Look:
    """How ``tube`` shows it."""
    ink, ground = tube.ink, tube.ground
    if tube.has_colours:
        ink, ground = _coloured_ink(style, tube), style.ground or tube.ground
        if style.dim:
            ink = _between(ink, ground)
    if style.reverse:
        ink, ground = ground, ink
    bold = style.bold and not tube.bold_is_bright
    return Look(ink, ground, bold, style.italic and tube.has_colours, style.underline)


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21; text wants 4.5."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _coloured_ink(style: Style, tube: Tube) -> Colour:
    if tube.bold_is_bright and style.bold:
        if style.base_ink is not None:
            return indexed(style.base_ink + _BRIGHT)
        if style.ink is None:
            return indexed(_WHITE + _BRIGHT)
    return style.ink or tube.ink


def _between(one: Colour, other: Colour) -> Colour:
    red, green, blue = ((a + b) // 2 for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (level / 255 for level in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
