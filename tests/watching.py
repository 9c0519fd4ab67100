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
    for _ in range(9):
        # A part that was given back since the list was read cannot be read (EIO): once more.
        with suppress(OSError):
            return _copies_in_memory(pid, needle)
    return _copies_in_memory(pid, needle)


def _copies_in_memory(pid: int, needle: bytes) -> int:
    found = 0
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, mode, *_ = line.split()
            if not mode.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            memory.seek(start)
            found += memory.read(end - start).count(needle)
    return found
