"""Faults at chosen system calls, by strace(1): count the calls of an unharmed run, then strike.

Only the program's main thread is traced, which is the one that writes files. Its
n-th call of a kind is the same one in every run, so a recorded call can be struck.
What other programs it starts (gpg, git) run on, as they would after a kill -9.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import workstation

#: Calls that change something on a disk, or end a change.
CHANGING: Final = (
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "syncfs",
    "fchmod",
    "fchmodat",
    "mkdirat",
    "mkdir",
    "renameat",
    "renameat2",
    "unlinkat",
    "rmdir",
    "close",
)
#: The exit code of a process that SIGKILL ended, as Python tells it.
KILLED: Final = -9
#: Python starts other programs with it.
STARTING: Final = "vfork"
#: The n-th call has to be the same one in every run.
STEADY: Final = {"PYTHONHASHSEED": "0"}
_CALL: Final = re.compile(r"(\w+)\(")


@dataclass(frozen=True)
class Call:
    """The ``nth`` call of ``name`` by the main thread, from 1, and how strace shows it."""

    name: str
    nth: int
    text: str

    def __str__(self) -> str:
        return f"{self.name} {self.nth}: {self.text[:160]}"


def record(command: Sequence[str], *places: Path, also: Sequence[str] = ()) -> list[Call]:
    """The calls of an unharmed run that change something below one of ``places``, in order.

    Calls named in ``also`` count wherever they are: ``STARTING`` is the start of another program.
    """
    with tempfile.NamedTemporaryFile() as log:
        tracing = ("strace", "-qqq", "-y", "-e", "signal=none", "-o", log.name)
        traced = [*tracing, "-e", f"trace={','.join((*CHANGING, *also))}", *command]
        done = workstation.run(traced, environment=STEADY)
        assert done.returncode == 0, done.stderr
        lines = Path(log.name).read_text(errors="replace").splitlines()
    calls, counts, written = [], Counter[str](), set[str]()
    for line in lines:
        if (match := _CALL.match(line)) is None:
            continue
        counts[match[1]] += 1
        if match[1] in also or (
            any(str(place) in line for place in places) and _changes(line, written)
        ):
            calls.append(Call(match[1], counts[match[1]], line))
    return calls


def _changes(line: str, written: set[str]) -> bool:
    """Not an opening for reading, nor the closing of what was opened so."""
    descriptor = re.search(r"\((\d+)<", line)
    if line.startswith("openat("):
        opened = line.rpartition("= ")[2].partition("<")[0]
        if "O_WRONLY" in line or "O_RDWR" in line:
            written.add(opened)
            return True
        written.discard(opened)
        return False
    if line.startswith("close("):
        was_written = descriptor is not None and descriptor[1] in written
        written.discard(descriptor[1] if descriptor else "")
        return was_written
    return True


@dataclass(frozen=True)
class Struck:
    """How a run under a fault ended, and whether the fault came at all."""

    returncode: int
    stdout: str
    stderr: str
    landed: bool


def strike(command: Sequence[str], call: Call, fault: str, how_long: str = "once") -> Struck:
    """Run with ``fault`` (``signal=KILL``, ``error=EIO``) at ``call``, or ``from then on``.

    A fault of a call that the run never made has not landed: it shows nothing about the program.
    """
    when = f"{call.nth}+" if how_long == "from then on" else str(call.nth)
    inject = f"inject={call.name}:{fault}:when={when}"
    with tempfile.NamedTemporaryFile() as log:
        tracing = ("strace", "-qqq", "-e", "signal=none", "-o", log.name)
        traced = [*tracing, "-e", f"trace={call.name}", "-e", inject, *command]
        done = workstation.run(traced, environment=STEADY)
        lines = Path(log.name).read_text(errors="replace").splitlines()
    # strace(1) marks an error that it made so; a process that it killed ends within the call.
    landed = any(line.endswith("(INJECTED)") for line in lines) or done.returncode == KILLED
    return Struck(done.returncode, done.stdout, done.stderr, landed)


def spread(calls: Sequence[Call], count: int | None) -> list[Call]:
    """``count`` of ``calls`` (None: all), from the first to the last in even steps."""
    if count is None or count >= len(calls):
        return list(calls)
    if count == 1:
        return [calls[len(calls) // 2]]
    step = (len(calls) - 1) / (count - 1)
    return [calls[round(index * step)] for index in range(count)]
