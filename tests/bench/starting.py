"""How fast the program starts: the app's first paint, and processor time of short commands."""

import sys
from pathlib import Path
from typing import Final

from tests.bench.measure import Command, Times, cpu_s, first_paint_s, in_turns
from tests.bench.workstation import SIGNER, BenchStation

APP: Final = "pai-signer"
HELLO: Final = "bare Textual hello"
HELP: Final = "pai-signer --help"
JOURNAL: Final = "pai-signer journal verify"
PYTHON: Final = "python -c pass"
#: The first action of the home screen.
APP_TEXT: Final = "Import a release"
HELLO_TEXT: Final = "Hello, world"


def measure_first_paint(station: BenchStation, rounds: int) -> Times:
    """Seconds until the first frame stands on a terminal."""
    app: Command = [SIGNER, "--vault", station.vault]
    hello: Command = [sys.executable, Path(__file__).with_name("hello.py")]
    return in_turns(
        {
            APP: lambda: first_paint_s(app, APP_TEXT),
            HELLO: lambda: first_paint_s(hello, HELLO_TEXT),
        },
        rounds,
    )


def measure_commands(station: BenchStation, rounds: int) -> Times:
    """Processor seconds of commands that do next to nothing."""
    return in_turns(
        {
            HELP: lambda: cpu_s([SIGNER, "--help"]),
            JOURNAL: lambda: cpu_s(station.signer("journal", "verify")),
            PYTHON: lambda: cpu_s([sys.executable, "-c", "pass"]),
        },
        rounds,
    )
