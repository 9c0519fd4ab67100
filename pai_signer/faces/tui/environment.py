"""What the environment may say to the app: the terminal's kind, and nothing else (SEC-2).

Textual reads its settings from variables when it is imported, and some of them
leak or inject: ``TEXTUAL_LOG`` and ``TEXTUAL_DEBUG`` write messages to a file,
``TEXTUAL_DRIVER`` loads code, ``TEXTUAL_PRESS`` types keys, ``TEXTUAL_SCREENSHOT``
stores pictures, ``TEXTUAL`` switches the developer console on.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Final

from pai_signer.faces.code_rows import CodeLook, is_rich

# Ours: no key protocol beyond what every terminal speaks, and nothing that moves.
_SETTINGS: Final = {"TEXTUAL_DISABLE_KITTY_KEY": "1", "TEXTUAL_ANIMATIONS": "none"}


def forget_textual_settings(environ: MutableMapping[str, str] = os.environ) -> None:
    """Drop every variable that Textual reads, and set our own."""
    for name in list(environ):
        if name == "TEXTUAL" or name.startswith("TEXTUAL_"):
            del environ[name]
    environ.update(_SETTINGS)


@dataclass(frozen=True)
class Look:
    """How the app may look on this terminal (FACE-2).

    ``theme`` is set before the app starts: an ANSI theme set late, with
    ``NO_COLOR``, is black on black. ``lat15``: the font may hold no more than that.
    """

    theme: str
    lat15: bool
    codes: CodeLook = field(default_factory=CodeLook)


CONSOLE: Final = Look("ansi-dark", lat15=True, codes=CodeLook(half_blocks=False))
CALM: Final = Look("nord", lat15=False)


def look_from(
    environ: Mapping[str, str] = os.environ, *, font_has_half_blocks: bool = False
) -> Look:
    """Rich colours and glyphs only where the terminal, or its font, says that it has them."""
    # An empty NO_COLOR counts as not set (no-color.org), but Textual obeys even that.
    is_plain = "NO_COLOR" in environ
    rich = Look("ansi-dark", lat15=False) if is_plain else CALM
    look = rich if is_rich(environ) else CONSOLE
    half_blocks = look.codes.half_blocks or font_has_half_blocks
    return replace(look, codes=CodeLook(half_blocks=half_blocks, has_colours=not is_plain))
