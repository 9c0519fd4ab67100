"""Looks for a passphrase where it must never be: arguments, environments, memory."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_WATCHER: Final = """
import sys, time
from pathlib import Path
needle = sys.stdin.buffer.readline().strip()[::-1]  # sent reversed: not to find ourselves
print("watching", flush=True)
seen = set()
while not Path(sys.argv[1]).exists():
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            words = content.split(b"\\0")[0].rpartition(b"/")[2]
            if name == "cmdline" and words in (b"gpg", b"gpg-agent"):
                seen.add(words.decode())
            if needle in content:
                seen.add("LEAK " + name)
print(" ".join(sorted(seen)), flush=True)
"""


@contextmanager
def watched(canary: bytes) -> Iterator[set[str]]:
    """Which of gpg and its agent ran meanwhile, and ``LEAK ...`` where ``canary`` was seen.

    The set is filled at the end.
    """
    seen: set[str] = set()
    with TemporaryDirectory() as folder:
        stop = Path(folder) / "stop"
        watcher = subprocess.Popen(
            [sys.executable, "-c", _WATCHER, stop], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with watcher:
            assert watcher.stdin is not None
            assert watcher.stdout is not None
            watcher.stdin.write(canary[::-1] + b"\n")
            watcher.stdin.flush()
            assert watcher.stdout.readline() == b"watching\n"
            try:
                yield seen
            finally:
                stop.touch()
            seen.update(watcher.stdout.read().decode().split("\n")[0].split(" "))


def copies_in_memory(pid: int, needle: bytes) -> int:
    """How often ``needle`` stands in the writable memory of a process."""
    return len(places_in_memory(pid, needle))


def places_in_memory(pid: int, needle: bytes) -> list[str]:
    """Where ``needle`` stands in the writable memory of a process, and what is around it."""
    for _ in range(9):
        # A part that was given back since the list was read cannot be read (EIO): once more.
        with suppress(OSError):
            return _places_in_memory(pid, needle)
    return _places_in_memory(pid, needle)


def _places_in_memory(pid: int, needle: bytes) -> list[str]:
    found = []
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, mode, *_ = line.split()
            if not mode.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            memory.seek(start)
            content = memory.read(end - start)
            at = content.find(needle)
            while at >= 0:
                around = content[max(0, at - 64) : at + len(needle) + 64]
                found.append(f"{line}, at {start + at:x}: {around!r}")
                at = content.find(needle, at + 1)
    return found
