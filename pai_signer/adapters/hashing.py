"""The one-pass reader: both digests from one read of a file (IMP-3).

One thread reads into a small ring of buffers, two others hash the same
buffers: SHA-256 for the manifest, BLAKE2b-512 for minisign's prehash. hashlib
releases the interpreter lock, so both cores work. No mmap: a medium that is
pulled out would kill the process with SIGBUS.
"""

import hashlib
import os
import queue
import threading
from dataclasses import dataclass
from typing import Final, Protocol

from pai_signer.domain.progress import Progress

#: Measured best in PITFALLS: 4 x 4 MiB; the whole memory that a pass takes.
BUFFER_BYTES: Final = 4 << 20
BUFFER_COUNT: Final = 4

#: One read at a time: at 2 MB/s, a poor stick, cancel still answers within a second.
READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Digests:
    """The result of one pass: bytes read, and two digests in lower hex."""

    size_bytes: int
    sha256: str
    blake2b_512: str


def hash_descriptor(descriptor: int, progress: Progress) -> Digests:
    """Read ``descriptor`` from where it stands to its end, once.

    Counts on the newest bar of ``progress``. Raises ``Cancelled`` if the operator
    cancels, ``OSError`` if the medium fails; no thread is left behind then.
    """
    if hasattr(os, "posix_fadvise"):  # a hint, and not every system takes it
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    sha256 = hashlib.sha256()
    blake2b = hashlib.blake2b(digest_size=64)
    size_bytes = 0
    free: queue.SimpleQueue[_Buffer] = queue.SimpleQueue()
    for _ in range(BUFFER_COUNT):
        free.put(_Buffer(free))
    lanes = (_Lane(sha256), _Lane(blake2b))
    try:
        while True:
            buffer = free.get()
            buffer.length = _fill(descriptor, memoryview(buffer.memory), progress)
            if buffer.length == 0:
                break
            size_bytes += buffer.length
            buffer.users = len(lanes)
            for lane in lanes:
                lane.waiting.put(buffer)
    finally:
        for lane in lanes:
            lane.finish()
    return Digests(size_bytes, sha256.hexdigest(), blake2b.hexdigest())


def _fill(descriptor: int, memory: memoryview, progress: Progress) -> int:
    """Read until ``memory`` is full or the file ends; returns the bytes read."""
    filled = 0
    while filled < len(memory):
        progress.check()
        count = _read_into(descriptor, memory[filled : filled + READ_BYTES])
        if count == 0:
            break
        filled += count
        progress.add(count)
    return filled


def _read_into(descriptor: int, memory: memoryview) -> int:
    """One read; where there is no readv(2), through a copy."""
    if hasattr(os, "readv"):
        return os.readv(descriptor, [memory])
    data = os.read(descriptor, len(memory))
    memory[: len(data)] = data
    return len(data)


class _Buffer:
    """Memory that goes back to the ring when the last of its users is done."""

    def __init__(self, free: "queue.SimpleQueue[_Buffer]") -> None:
        self.memory = bytearray(BUFFER_BYTES)
        self.length = 0
        self.users = 0
        self._free = free
        self._lock = threading.Lock()

    def release(self) -> None:
        with self._lock:
            self.users -= 1
            last = self.users == 0
        if last:
            self._free.put(self)


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...


class _Lane:
    """One hash in one thread, fed through a queue; None ends it."""

    def __init__(self, digest: _Hash) -> None:
        self.waiting: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
        self._digest = digest
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (buffer := self.waiting.get()) is not None:
            self._digest.update(memoryview(buffer.memory)[: buffer.length])
            buffer.release()

    def finish(self) -> None:
        self.waiting.put(None)
        self._thread.join()
