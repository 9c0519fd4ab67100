"""QR codes on a real terminal, read from its picture by a reader that is not ours (EXP-4)."""

import re
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pai_signer.domain.qr_parts import cut_for_codes
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, leave
from tests.tui.picture import DARK, LIGHT, Theme, codes_by_zbar
from tests.tui.tmux import Tmux, program
from tests.workstation import VERSION, Workstation, workstation

pytestmark = [
    needs_tmux,
    pytest.mark.skipif(shutil.which("zbarimg") is None, reason="zbarimg is not installed"),
]

NAME = "SHA256SUMS.asc"
#: A Linux console on a screen of 1366 x 768: its fonts have no half blocks.
CONSOLE = (170, 48)


@dataclass(frozen=True)
class Kind:
    """One kind of terminal, and what is asked for on it."""

    term: str = "tmux-256color"
    environ: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (80, 24)
    theme: Theme = DARK
    options: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


TRUE = Kind(environ={"COLORTERM": "truecolor"})
SIXTEEN = Kind(term="linux", size=CONSOLE)
HALVES = Kind(term="linux", options=("--half-blocks",))
PLAIN = Kind(environ={"NO_COLOR": "1"})
INVERTED = replace(PLAIN, theme=LIGHT, keys=("i",))
LINES_KINDS = {
    "truecolor on a light theme": replace(TRUE, theme=LIGHT),
    "16 colours": SIXTEEN,
    "16 colours, half blocks": HALVES,
    "NO_COLOR": PLAIN,
}
APP_KINDS = {
    "truecolor": TRUE,
    "16 colours": SIXTEEN,
    "NO_COLOR on a light theme": INVERTED,
}


@pytest.fixture
def station(room: Path) -> Workstation:
    """A vault with a signed release."""
    return workstation("signed", room)


def run_on(kind: Kind, room: Path, command: list[str]) -> AbstractContextManager[Tmux]:
    return program(room / "t", command, term=kind.term, environ=kind.environ, size=kind.size)


def expected(station: Workstation) -> list[str]:
    staged = station.vault / "releases" / VERSION / "staging" / NAME
    return [part.payload for part in cut_for_codes(NAME, staged.read_bytes())]


def read_all(pane: Tmux, kind: Kind, next_key: str, count: int, end: str) -> list[str]:
    """What zbarimg reads from each screen in turn: exactly one code from each.

    ``end`` is what the screen shows last, with the number of the page in it.
    """
    read = []
    for number in range(1, count + 1):
        last = end.format(number + 1)
        shown = pane.until(f"part {number} of", f"code {number} of {count}", last)
        if number == 1 and kind.keys:
            pane.press(*kind.keys)
            pane.until_gone(shown)
        if kind.size == (80, 24):
            assert shown.count("\n") == 24
        codes = codes_by_zbar(pane.coloured(), kind.theme)
        assert len(codes) == 1, shown
        read += codes
        pane.press(next_key)
    return read


@pytest.mark.parametrize("kind", LINES_KINDS.values(), ids=LINES_KINDS)
def test_another_reader_reads_every_code_from_the_screen(
    room: Path, station: Workstation, kind: Kind
) -> None:
    wanted = expected(station)
    command = station.command("release", "qr", VERSION, "--file", NAME, *kind.options)
    with run_on(kind, room, command) as pane:
        pane.until("QR codes", "Enter goes on")
        pane.press("Enter")
        end = f"[page {{}} of {len(wanted) + 2}; Enter goes on]"
        read = read_all(pane, kind, "Enter", len(wanted), end)
        pane.until("The last code was shown")
    assert read == wanted


@pytest.mark.parametrize("kind", APP_KINDS.values(), ids=APP_KINDS)
def test_the_app_shows_every_code_too(room: Path, station: Workstation, kind: Kind) -> None:
    wanted = expected(station)
    with run_on(kind, room, [*WEAK_APP, str(station.vault)]) as app:
        app.pick("Signatures as QR codes")
        app.pick(VERSION)
        app.pick(NAME)
        app.until(f"Which of its {len(wanted)} parts")
        app.press("Enter")
        app.until("zbarcam", "There are more pages.")
        app.press("Enter")
        assert read_all(app, kind, "n", len(wanted), "n, Space next") == wanted
        app.until("The last code was shown", "Enter: all codes were scanned")
        app.press("Enter")
        app.until("Shown of", "Done.")
        app.press("Escape")
        app.until("Import a release")
        leave(app)


def test_where_a_code_has_no_room_its_rows_can_be_typed(room: Path, station: Workstation) -> None:
    wanted = expected(station)
    command = station.command("release", "qr", VERSION, "--file", NAME, "--part", "2")
    with program(room / "t", command, term="linux") as pane:
        pane.until("QR codes", "Enter goes on")
        pane.press("Enter")
        shown = pane.until("no half blocks", "part 2 of")
    typed = re.findall(r"^((?:\S{1,4} )*\S{1,4})  [0-9a-f]{4}$", shown, re.MULTILINE)
    assert "".join(typed).replace(" ", "") == wanted[1]
    assert not set("▀▄█") & set(shown)
