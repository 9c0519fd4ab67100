"""The one-pass reader (IMP-3): right digests, one read, little memory, quick cancel."""

import hashlib
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters.hashing import BUFFER_BYTES, BUFFER_COUNT, Digests, hash_descriptor
from pai_signer.domain.progress import Progress
from pai_signer.errors import Cancelled

SIZES = [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 7 * BUFFER_BYTES + 12345]


def digests_of(path: Path, progress: Progress | None = None) -> Digests:
    progress = progress or Progress()
    progress.begin(path.name, path.stat().st_size)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return hash_descriptor(descriptor, progress)
    finally:
        os.close(descriptor)


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(1 << 20) * 40)
    return path


@pytest.mark.parametrize("size_bytes", SIZES)
def test_both_digests_are_what_hashlib_says(tmp_path: Path, size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    path = tmp_path / "f"
    path.write_bytes(data)
    progress = Progress()
    assert digests_of(path, progress) == Digests(
        size_bytes, hashlib.sha256(data).hexdigest(), hashlib.blake2b(data).hexdigest()
    )
    assert progress.snapshot().bars[0].done_bytes == size_bytes


def test_the_stock_tools_agree(blob: Path) -> None:
    def stock(tool: str) -> str:
        done = subprocess.run([tool, str(blob)], check=True, capture_output=True, text=True)
        return done.stdout.split()[0]

    found = digests_of(blob)
    assert (found.sha256, found.blake2b_512) == (stock("sha256sum"), stock("b2sum"))


def test_short_reads_change_nothing(blob: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, real = digests_of(blob), os.readv
    monkeypatch.setattr(os, "readv", lambda fd, views: real(fd, [views[0][:99_991]]))
    assert digests_of(blob) == expected


def test_each_byte_is_read_once(blob: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, real = [], os.readv

    def counting(descriptor: int, views: Sequence[Any]) -> int:
        counts.append(real(descriptor, views))
        return counts[-1]

    monkeypatch.setattr(os, "readv", counting)
    digests_of(blob)
    assert sum(counts) == blob.stat().st_size


def test_a_cancel_stops_it_and_leaves_no_thread(blob: Path) -> None:
    class CancelsAfterAWhile(Progress):
        def add(self, count_bytes: int) -> None:
            super().add(count_bytes)
            if self.snapshot().bars[0].done_bytes >= 9 << 20:
                self.cancel()

    threads, progress = threading.active_count(), CancelsAfterAWhile()
    with pytest.raises(Cancelled):
        digests_of(blob, progress)
    assert progress.snapshot().bars[0].done_bytes == 9 << 20
    assert threading.active_count() == threads


@pytest.mark.parametrize("failing_read", [1, 2, BUFFER_COUNT * 4 + 3])
def test_a_failing_medium_ends_it_and_leaves_no_thread(
    blob: Path, monkeypatch: pytest.MonkeyPatch, failing_read: int
) -> None:
    threads, calls, real = threading.active_count(), [], os.readv

    def failing(descriptor: int, views: Sequence[Any]) -> int:
        calls.append(1)
        if len(calls) == failing_read:
            raise OSError(5, "Input/output error")
        return real(descriptor, views)

    monkeypatch.setattr(os, "readv", failing)
    with pytest.raises(OSError, match="Input/output"):
        digests_of(blob)
    assert threading.active_count() == threads
