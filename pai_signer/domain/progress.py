"""Counters that a long step writes and a face polls (FACE-3).

The worker only adds numbers and appends lines; it never calls into a face. A
face reads ``snapshot`` five to ten times a second and may ``cancel``.
"""

import threading
from dataclasses import dataclass, field

from pai_signer.domain.page import Line
from pai_signer.errors import Cancelled


@dataclass(frozen=True)
class ProgressBar:
    """One counted piece of work; ``total_bytes`` is 0 where the size is not known."""

    label: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class ProgressSnapshot:
    """What a face shows at one moment."""

    bars: tuple[ProgressBar, ...]
    lines: tuple[Line, ...]
    can_cancel: bool


@dataclass
class Progress:
    """Shared between one worker and one face; safe for two threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)
    _bars: list[ProgressBar] = field(default_factory=list)
    _lines: list[Line] = field(default_factory=list)
    _can_cancel: bool = True

    def begin(self, label: str, total_bytes: int) -> None:
        """Start a new bar; later ``add`` calls count on it."""
        with self._lock:
            self._bars.append(ProgressBar(label, 0, total_bytes))

    def add(self, count_bytes: int) -> None:
        """Count work done on the newest bar."""
        with self._lock:
            bar = self._bars[-1]
            self._bars[-1] = ProgressBar(bar.label, bar.done_bytes + count_bytes, bar.total_bytes)

    def say(self, line: Line) -> None:
        """Append one line of what was just done."""
        with self._lock:
            self._lines.append(line)

    def forbid_cancel(self) -> None:
        """From here on the work runs to its end; a cancel that came earlier still counts."""
        self.check()
        with self._lock:
            self._can_cancel = False

    def cancel(self) -> bool:
        """Ask the worker to stop; False where it can no longer be stopped."""
        with self._lock:
            if not self._can_cancel:
                return False
            self._cancel.set()
            return True

    def check(self) -> None:
        """Raise ``Cancelled`` if the operator asked to stop; call it once per chunk."""
        if self._cancel.is_set():
            raise Cancelled(
                "FACE-3/cancelled",
                "The operator cancelled.",
                "Start again when you are ready; finished steps are kept.",
            )

    def snapshot(self) -> ProgressSnapshot:
        """A consistent copy for showing."""
        with self._lock:
            return ProgressSnapshot(tuple(self._bars), tuple(self._lines), self._can_cancel)
