"""The environment tells the app the kind of terminal, and nothing else."""

import subprocess
import sys
from dataclasses import replace

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from pai_signer.faces.code_rows import CodeLook
from pai_signer.faces.tui.environment import CALM, CONSOLE, Look, forget_textual_settings, look_from
from pai_signer.faces.tui.safe_render import _MARK_STYLES
from tests.shots.modes import contrast


def test_every_variable_of_textual_is_dropped() -> None:
    environ = {"TEXTUAL": "debug", "TEXTUAL_LOG": "/x", "TEXTUAL_NEW": "1", "PATH": "/bin"}
    forget_textual_settings(environ)
    assert environ == {
        "PATH": "/bin",
        "TEXTUAL_DISABLE_KITTY_KEY": "1",
        "TEXTUAL_ANIMATIONS": "none",
    }


def test_importing_any_part_of_the_app_drops_them_before_textual_is_imported() -> None:
    code = (
        "import pai_signer.faces.tui.app\n"
        "from textual import constants as c\n"
        "assert (c.LOG_FILE, c.DRIVER, c.PRESS, c.DEBUG, c.SCREENSHOT_DELAY) "
        "== (None, None, '', False, -1)\n"
    )
    environ = {
        "TEXTUAL_LOG": "/tmp/x",
        "TEXTUAL_DRIVER": "a:b",
        "TEXTUAL_PRESS": "q",
        "TEXTUAL_DEBUG": "1",
        "TEXTUAL_SCREENSHOT": "1",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, timeout=60)


@pytest.mark.parametrize(
    ("environ", "look"),
    [
        ({"TERM": "linux"}, CONSOLE),
        ({"TERM": "vt220"}, CONSOLE),
        ({}, CONSOLE),
        (
            {"TERM": "linux", "NO_COLOR": "1"},
            replace(CONSOLE, codes=CodeLook(half_blocks=False, has_colours=False)),
        ),
        ({"TERM": "xterm-256color"}, CALM),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, CALM),
        (
            {"TERM": "xterm-256color", "NO_COLOR": "1"},
            Look("ansi-dark", lat15=False, codes=CodeLook(has_colours=False)),
        ),
    ],
)
def test_colours_and_glyphs_only_where_the_terminal_has_them(
    environ: dict[str, str], look: Look
) -> None:
    assert look_from(environ) == look


#: What WCAG 2.2 asks of letters (success criterion 1.4.3).
READABLE = 4.5


@pytest.mark.parametrize("style", [*_MARK_STYLES.values(), "$secondary", "$foreground"])
def test_letters_stand_out_from_their_ground_in_true_colour(style: str) -> None:
    colours = BUILTIN_THEMES[CALM.theme].to_color_system().generate()
    ground = Color.parse(colours["background"]).rgb
    name = style.rpartition("$")[2]
    assert contrast(Color.parse(colours[name]).rgb, ground) >= READABLE
