"""How fast artifacts are read: import and verify against the tools used otherwise."""

import time
from typing import Final

from pai_signer.adapters.source import FolderSources
from pai_signer.domain.progress import Progress
from tests.bench.measure import Command, Times, in_turns, wall_s
from tests.bench.workstation import ARTIFACTS, VERSION, BenchStation

IMPORT: Final = "pai-signer release import"
VERIFY: Final = "pai-signer verify"
READ_ONCE: Final = "read_once, both digests"
SEQUENCE: Final = "cp; sha256sum; minisign -S; sha256sum"
OPENSSL: Final = "openssl dgst -sha256"
B2SUM: Final = "b2sum"


def measure_reading(station: BenchStation, rounds: int) -> Times:
    """Seconds that each way takes for both artifacts."""
    files = [station.downloads / name for name in ARTIFACTS]
    importing = station.signer("release", "import", station.downloads, "--version", VERSION)
    verifying = station.signer("verify", station.release, "--keys", station.keys)
    return in_turns(
        {
            IMPORT: lambda: wall_s(importing),
            VERIFY: lambda: wall_s(verifying),
            READ_ONCE: lambda: _read_once_s(station),
            SEQUENCE: lambda: _usual_sequence_s(station),
            OPENSSL: lambda: wall_s(["openssl", "dgst", "-sha256", *files]),
            B2SUM: lambda: wall_s(["b2sum", *files]),
        },
        rounds,
    )


def _read_once_s(station: BenchStation) -> float:
    start = time.perf_counter()
    with FolderSources().open(station.downloads) as source:
        for name in ARTIFACTS:
            source.read_once(name, Progress())
    return time.perf_counter() - start


def _usual_sequence_s(station: BenchStation) -> float:
    """What a runbook says for each file: copy, check, sign, check again."""
    copies = station.folder / "copies"
    copies.mkdir()
    checksums = (station.downloads / "SHA256SUMS").read_text().splitlines(keepends=True)
    seconds = 0.0
    for name, line in zip(ARTIFACTS, checksums, strict=True):
        sums = copies / f"{name}.sha256"
        sums.write_text(line)
        check: Command = ["sha256sum", "-c", sums.name]
        copy: Command = ["cp", station.downloads / name, copies / name]
        sign: Command = ["minisign", "-S", "-s", station.minisign_key, "-m", name]
        for command in (copy, check, sign, check):
            seconds += wall_s(command, directory=copies)
    for path in copies.iterdir():
        path.unlink()
    copies.rmdir()
    return seconds
