"""How soon the app answers a key while it hashes: no thread may starve the screen."""

import statistics
from pathlib import Path
from typing import Final

from tests.bench.measure import Terminal
from tests.bench.workstation import SIGNER, BenchStation

#: What a person takes for at once.
ALLOWED_S: Final = 0.1
#: Presses of a round; the 99th of a hundred is told.
PRESSES: Final = 20
#: Sparse, so that no disk is read, and large enough to be hashed longer than keys are pressed.
_ARTIFACT_BYTES: Final = 16 << 30
_NAMES: Final = ("pai-9.0.0-amd64.iso", "pai-9.0.0-arm64.iso")
_ENTER, _F1, _PAGE_DOWN, _PAGE_UP, _ESCAPE = b"\r", b"\x1bOP", b"\x1b[6~", b"\x1b[5~", b"\x1b"


def measure_latency(station: BenchStation, rounds: int) -> list[float]:
    """Seconds from a key to its change on the screen, over and over, while an import hashes."""
    downloads = station.folder / "sparse"
    _make_sparse(downloads)
    with Terminal([SIGNER, "--vault", station.vault]) as app:
        app.until("Import a release")
        app.press(b"1" + _ENTER, "(type its path)")
        app.press(b"1", "path of the folder")
        app.press(str(downloads).encode() + _ENTER, "Read these files?")
        app.press(_ENTER, "yes, in another folder")
        app.press(b"1", "all so far")
        app.press(_F1, "Rows 1 to")
        seconds = []
        for _ in range(rounds * PRESSES // 2):
            seconds.append(app.press(_PAGE_DOWN, "PgUp, PgDn, Up, Down"))
            seconds.append(app.press(_PAGE_UP, "Rows 1 to"))
        app.press(_ESCAPE, "all so far")  # it hashes still: else this was no measurement
    return seconds


def percentile_99(seconds: list[float]) -> float:
    """What all but one of a hundred presses stay below."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]


def _make_sparse(folder: Path) -> None:
    folder.mkdir()
    for name in _NAMES:
        with (folder / name).open("wb") as file:
            file.truncate(_ARTIFACT_BYTES)
    (folder / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {name}\n" for name in _NAMES))
