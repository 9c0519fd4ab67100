"""What is read of a backup medium, and what is not (CUS-2, IMP-2)."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import backup_reader
from pai_signer.adapters.backup_reader import MediumBackupReader
from pai_signer.domain.progress import Progress
from pai_signer.errors import Cancelled, MediumError, PolicyRefused
from pai_signer.ports import FoundProblem, FoundSet

FILES: Mapping[str, bytes] = {
    "MANIFEST.txt": b"m" * 400,
    "minisign.key": os.urandom(180),
    "journal.jsonl": os.urandom(3 << 20),
    "empty": b"",
}


def lay(
    top: Path, number: int = 7, copies: str = "abc", files: Mapping[str, bytes] = FILES
) -> Path:
    for copy in copies:
        folder = top / f"pai-backup-{number:06}-{copy}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return top / f"pai-backup-{number:06}-a"


def read(top: Path, progress: Progress | None = None) -> tuple[FoundSet, ...]:
    return MediumBackupReader().read(top, "pai", progress or Progress())


def only_problems(top: Path, copy: str = "a") -> Mapping[str, FoundProblem]:
    (found,) = read(top)
    return found.copies[copy].problems


def test_a_set_is_read_whole(tmp_path: Path) -> None:
    lay(tmp_path)
    (found,) = read(tmp_path)
    assert found.number == 7
    assert list(found.copies) == ["a", "b", "c"]
    for copy, held in found.copies.items():
        assert held.folder == f"pai-backup-000007-{copy}"
        assert held.files == FILES
        assert held.problems == {}


def test_sets_stand_newest_first_and_nothing_else_is_looked_at(tmp_path: Path) -> None:
    for number in (9, 10, 2_000_000):
        lay(tmp_path, number, "ab", {"RESTORE.txt": b"x"})
    lay(tmp_path, 3, "c", {})
    for name in ("pai-backup-000004-d", "xpai-backup-000004-a", "pai-backup-4-a", "photos"):
        (tmp_path / name).mkdir()
    (tmp_path / "pai-backup-000005-A").mkdir()
    found = read(tmp_path)
    assert [each.number for each in found] == [2_000_000, 10, 9, 3]
    assert list(found[-1].copies) == ["c"]
    assert found[-1].copies["c"].files == {}


def test_an_empty_medium_is_an_empty_answer(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert read(tmp_path) == ()


def test_progress_counts_the_bytes(tmp_path: Path) -> None:
    lay(tmp_path)
    progress = Progress()
    read(tmp_path, progress)
    bars = progress.snapshot().bars
    size = sum(map(len, FILES.values()))
    assert [bar.label for bar in bars] == [f"pai-backup-000007-{copy}" for copy in "abc"]
    assert {(bar.done_bytes, bar.total_bytes) for bar in bars} == {(size, size)}


def test_a_cancel_stops_it(tmp_path: Path) -> None:
    lay(tmp_path)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        read(tmp_path, progress)


# --- hostile and damaged media ------------------------------------------------------------


def test_a_link_is_not_followed_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = lay(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"not on the medium")
    (folder / "minisign.key").unlink()
    (folder / "minisign.key").symlink_to(secret)
    (found,) = read(tmp_path)
    held = found.copies["a"]
    assert set(held.files) == set(FILES) - {"minisign.key"}
    problem = held.problems["minisign.key"]
    assert "symbolic link" in problem.why
    assert not problem.is_unreadable
    assert found.copies["b"].problems == {}


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_never_opened(kind: str, tmp_path: Path) -> None:
    path = lay(tmp_path) / "gpg-secret.asc"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    problem = only_problems(tmp_path)["gpg-secret.asc"]
    assert ("named pipe" if kind == "fifo" else "folder") in problem.why
    assert not problem.is_unreadable


def test_a_name_with_control_characters_is_shown_escaped(tmp_path: Path) -> None:
    (lay(tmp_path) / "a\x1b[2Jb").write_bytes(b"x")
    assert list(only_problems(tmp_path)) == ["a\\x1b[2Jb"]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_copy_that_is_no_folder_is_a_problem_of_that_copy(kind: str, tmp_path: Path) -> None:
    lay(tmp_path, copies="bc")
    path = tmp_path / "pai-backup-000007-a"
    if kind == "link":
        path.symlink_to(tmp_path / "pai-backup-000007-b")
    else:
        path.write_bytes(b"x")
    (found,) = read(tmp_path)
    assert found.copies["a"].files == {}
    assert list(found.copies["a"].problems) == [""]
    assert not found.copies["a"].problems[""].is_unreadable
    assert found.copies["b"].files == FILES


def test_a_medium_given_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "stick")
    with pytest.raises(PolicyRefused) as caught:
        read(tmp_path / "link")
    assert caught.value.code == "CUS-2/symlink"


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(MediumError) as caught:
        read(tmp_path / "nowhere")
    assert caught.value.code == "CUS-2/missing"


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_TOP_ENTRIES", 3), ("MAX_SETS", 1), ("MAX_FILES", 3), ("MAX_TOTAL_BYTES", 1 << 20)],
)
def test_more_than_a_medium_of_ours_holds_is_refused(
    limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    lay(tmp_path, 8)
    monkeypatch.setattr(backup_reader, limit, value)
    with pytest.raises(PolicyRefused) as caught:
        read(tmp_path)
    assert caught.value.code == "CUS-2/too-much"


def test_a_file_beyond_the_limit_is_a_problem_of_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    monkeypatch.setattr(backup_reader, "MAX_FILE_BYTES", 1 << 20)
    problems = only_problems(tmp_path)
    assert list(problems) == ["journal.jsonl"]
    assert not problems["journal.jsonl"].is_unreadable


def test_a_file_that_the_medium_does_not_give_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    failing = (tmp_path / "pai-backup-000007-b" / "minisign.key").stat().st_ino
    real = os.readv

    def readv(descriptor: int, buffers: Any) -> int:
        if os.fstat(descriptor).st_ino == failing:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "readv", readv)
    (found,) = read(tmp_path)
    held = found.copies["b"]
    assert set(held.files) == set(FILES) - {"minisign.key"}
    assert held.problems["minisign.key"].is_unreadable
    assert "pulled out or is failing" in held.problems["minisign.key"].why
    assert found.copies["a"].files == FILES


def test_a_folder_that_cannot_be_listed_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    failing = (tmp_path / "pai-backup-000007-c").stat().st_ino
    real = os.scandir

    def scandir(place: Any) -> Any:
        if isinstance(place, int) and os.fstat(place).st_ino == failing:
            raise OSError(errno.EIO, "Input/output error")
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    (found,) = read(tmp_path)
    assert found.copies["c"].files == {}
    assert found.copies["c"].problems[""].is_unreadable


def test_a_file_that_changes_while_it_is_read_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path) / "minisign.key"
    real, inode = os.readv, path.stat().st_ino
    changes: list[int] = []

    def readv(descriptor: int, buffers: Any) -> int:
        if os.fstat(descriptor).st_ino == inode and not changes:
            changes.append(path.write_bytes(os.urandom(180)))
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "readv", readv)
    problem = only_problems(tmp_path)["minisign.key"]
    assert changes
    assert "changed while it was being read" in problem.why
    assert not problem.is_unreadable


def test_a_file_that_grows_without_end_is_read_to_the_limit_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = (lay(tmp_path) / "minisign.key").stat().st_ino
    real = os.readv

    def readv(descriptor: int, buffers: Any) -> int:
        if os.fstat(descriptor).st_ino == inode:
            return len(buffers[0])
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "readv", readv)
    monkeypatch.setattr(backup_reader, "MAX_FILE_BYTES", 4 << 20)
    assert "is larger than 4194304 bytes" in only_problems(tmp_path)["minisign.key"].why


@pytest.mark.parametrize("at", ["top", "folders"])
def test_a_pulled_medium_is_never_an_empty_or_a_damaged_one(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel lists a pulled stick as empty, without an error."""
    if at == "folders":
        lay(tmp_path)
    monkeypatch.setattr("pai_signer.adapters.source.device_is_there", lambda device: False)
    with pytest.raises(MediumError) as caught:
        read(tmp_path)
    assert caught.value.code == "IMP-1/gone"


def test_every_byte_comes_past_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    opened, advised = [], []
    real_open, real_advise = os.open, os.posix_fadvise

    def watch_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_DIRECT:
            opened.append(path)
        return real_open(path, flags, *rest, **more)

    def watch_advise(descriptor: int, at: int, count: int, advice: int) -> None:
        advised.append(advice)
        real_advise(descriptor, at, count, advice)

    monkeypatch.setattr(os, "open", watch_open)
    monkeypatch.setattr(os, "posix_fadvise", watch_advise)
    read(tmp_path)
    assert len(opened) == 3 * len(FILES)
    assert advised.count(os.POSIX_FADV_DONTNEED) == 3 * len(FILES)
