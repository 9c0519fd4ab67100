"""How time is taken: processes by the kernel's own count, rivals in turns, ratios in pairs.

A busy machine slows both of a pair, so their ratio holds where seconds do not. The order
of a round is turned around in the next, so that nobody always runs into the other's wake.
"""

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.bench.workstation import ENVIRONMENT

ROWS: Final = 24
COLUMNS: Final = 80
#: A paint that takes longer than this is not slow but broken.
PAINT_TIMEOUT_S: Final = 60.0

Command = list[str | Path]
#: One thing that is measured; returns the seconds it took.
Contestant = Callable[[], float]
#: The seconds of every counted round, by contestant.
Times = dict[str, list[float]]


def in_turns(contestants: Mapping[str, Contestant], rounds: int) -> Times:
    """Run each contestant once a round; the round before the first only fills the caches."""
    times: Times = {name: [] for name in contestants}
    for number in range(rounds + 1):
        names = list(contestants)
        for name in names if number % 2 else reversed(names):
            seconds = contestants[name]()
            if number > 0:
                times[name].append(seconds)
    return times


@dataclass(frozen=True)
class Spread:
    """The smallest, the middle and the largest of several rounds."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        found = sorted(values)
        return cls(found[0], statistics.median(found), found[-1])

    def __str__(self) -> str:
        return f"{self.least:8.3f} {self.median:8.3f} {self.most:8.3f}"


def ratio(times: Times, ours: str, theirs: str) -> Spread:
    """Our seconds divided by theirs, round by round: below 1, ours is the faster."""
    return Spread.of(a / b for a, b in zip(times[ours], times[theirs], strict=True))


def wall_s(command: Command, *, directory: Path | None = None) -> float:
    """Seconds from start to end of a command; ``CalledProcessError`` if it fails."""
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def cpu_s(command: Command) -> float:
    """Processor seconds, user and system, of a command and its children (getrusage(2))."""
    before = os.times()
    wall_s(command)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


class Terminal:
    """A command on a new terminal of 80x24; it is killed at the end."""

    def __init__(self, command: Command) -> None:
        arguments = [os.fspath(part) for part in command]
        self._process, self._terminal = pty.fork()
        if (
            self._process == 0
        ):  # the child: its terminal has its size before anything can ask for it
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execve(arguments[0], arguments, {**ENVIRONMENT, "TERM": "xterm-256color"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._terminal)

    def press(self, keys: bytes, until: str) -> float:
        """Seconds until ``until`` was painted after ``keys`` came in."""
        start = time.perf_counter()
        os.write(self._terminal, keys)
        self.until(until)
        return time.perf_counter() - start

    def until(self, text: str) -> None:
        """Read until ``text`` came; ``RuntimeError`` with the end of what came instead.

        Textual writes a frame in one go, so any text of the frame stands for all of it.
        """
        seen, deadline = b"", time.perf_counter() + PAINT_TIMEOUT_S
        while text.encode() not in seen:
            left = max(0.0, deadline - time.perf_counter())
            ready, _, _ = select.select([self._terminal], [], [], left)
            try:
                more = os.read(self._terminal, 1 << 16) if ready else b""
            except OSError:  # EIO, pty(7): the other side has ended
                more = b""
            if not more:
                raise RuntimeError(f"{text!r} was never painted; last came {seen[-500:]!r}")
            seen += more


def first_paint_s(command: Command, text: str) -> float:
    """Seconds from the start of ``command`` until ``text`` is on its terminal."""
    start = time.perf_counter()
    with Terminal(command) as terminal:
        terminal.until(text)
        return time.perf_counter() - start
