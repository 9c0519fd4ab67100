"""What a run of the app leaves behind, searched for a passphrase (SEC-2)."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_S = 0.05


def forms(canary: str) -> tuple[bytes, ...]:
    """How a passphrase could stand in a file: as it is, in hex, in base64 at each offset."""
    plain = canary.encode()
    encoded = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    return (plain, plain.hex().encode(), plain.hex().upper().encode(), *encoded)


def files_with(folder: Path, canary: str) -> list[Path]:
    """Every file below ``folder`` that holds it in any form."""
    wanted = forms(canary)
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in wanted)
    ]


@dataclass
class Sampled:
    """What was seen in the process table, and how much of it, so that nothing seen is no luck."""

    leaks: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


@contextmanager
def process_table(*canaries: str) -> Iterator[Sampled]:
    """Look at every process's arguments and environment, over and over, for ``canaries``."""
    sampled = Sampled()
    wanted = [form for canary in canaries for form in forms(canary)]
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(SAMPLE_S):
            for process in Path("/proc").glob("[0-9]*"):
                _look_at(process, wanted, sampled)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sampled
    finally:
        stop.set()
        thread.join()


def _look_at(process: Path, wanted: list[bytes], sampled: Sampled) -> None:
    for name in ("cmdline", "environ"):
        try:
            data = (process / name).read_bytes()
        except OSError:  # it ended meanwhile
            return
        if name == "cmdline":
            sampled.names.add(Path(data.split(b"\0")[0].decode("utf-8", "replace")).name)
        if any(form in data for form in wanted):
            sampled.leaks.append(f"{process.name} {name}")
