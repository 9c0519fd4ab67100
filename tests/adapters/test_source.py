"""Hostile folders: nothing followed, nothing that hangs, nothing that changes unseen (IMP-2)."""

import dataclasses
import hashlib
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import source as source_module
from pai_signer.adapters.source import MAX_ENTRIES, FolderSource, FolderSources
from pai_signer.domain.artifact import FindingLevel
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import is_safe
from pai_signer.errors import Cancelled, FormatError, MediumError, PolicyRefused, SignerError

ISO = "pai-0.2.0-amd64.iso"
IPXE = Path("/usr/lib/ipxe/ipxe.iso")

MakeSomething = Callable[[Path], object]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


SPECIAL: dict[str, tuple[MakeSomething, str, str]] = {
    "symlink": (lambda path: path.symlink_to("/etc/passwd"), "symbolic link", "symlink"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "symbolic link", "symlink"),
    "folder link": (lambda path: path.symlink_to("/etc"), "symbolic link", "symlink"),
    "folder": (lambda path: path.mkdir(), "folder", "not-a-file"),
    "FIFO": (os.mkfifo, "named pipe", "not-a-file"),
    "socket": (make_socket, "socket", "not-a-file"),
    "character device": (
        lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
        "device",
        "not-a-file",
    ),
    "block device": (
        lambda path: os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(7, 0)),
        "device",
        "not-a-file",
    ),
}

HOSTILE_NAMES = [
    b"pai\x1b[2J.iso",
    b"pai\n.iso",
    b"pai\t.iso",
    b"pai\\.iso",
    "pai\u202eosi.exe".encode(),
    b"a[b].iso",
    b"[@click=app.quit].iso",
    b"-rf.iso",
    b"a" * 251 + b".iso",
    b"pai\xff\xfe.iso",
    b".git",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "medium"
    made.mkdir()
    return made


@pytest.fixture
def source(folder: Path) -> Iterator[FolderSource]:
    with FolderSources().open(folder) as opened:
        yield opened


def code_of(action: Callable[[], object], kind: type[SignerError] = PolicyRefused) -> str:
    with pytest.raises(kind) as caught:
        action()
    assert is_safe(caught.value.summary)
    return caught.value.code


# --- the folder ---------------------------------------------------------------------------


def test_a_linked_folder_is_refused_and_the_real_path_asked_for(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    with pytest.raises(PolicyRefused) as caught, FolderSources().open(link):
        pass
    assert caught.value.code == "IMP-2/symlink"
    assert "real path" in caught.value.hint


def test_a_missing_folder_is_not_known_rather_than_refused(folder: Path) -> None:
    with pytest.raises(MediumError) as caught, FolderSources().open(folder / "nothing"):
        pass
    assert caught.value.code == "IMP-2/missing"


def test_a_fifo_or_a_file_is_no_folder_and_does_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "file").touch()
    for name in ("fifo", "file"):
        with pytest.raises(PolicyRefused) as caught, FolderSources().open(folder / name):
            pass
        assert caught.value.code == "IMP-2/not-a-folder"


def test_the_folder_cannot_be_swapped_once_it_is_open(folder: Path, source: FolderSource) -> None:
    (folder / ISO).write_bytes(b"real")
    folder.rename(folder.parent / "moved")
    folder.mkdir()
    (folder / ISO).write_bytes(b"swapped")
    assert source.read_small(ISO, 100) == b"real"


def test_the_shown_path_is_sanitised(tmp_path: Path) -> None:
    hostile = tmp_path / "a\x1b[2Jb"
    hostile.mkdir()
    with FolderSources().open(hostile) as opened:
        assert opened.shown_path.endswith("a\\x1b[2Jb")


def test_no_descriptor_is_left_open(folder: Path) -> None:
    (folder / ISO).write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with FolderSources().open(folder) as opened:
        opened.listing()
        opened.read_once(ISO, Progress())
        code_of(lambda: opened.read_small("-x", 1))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- listing ------------------------------------------------------------------------------


def test_regular_files_are_listed_by_name(folder: Path, source: FolderSource) -> None:
    (folder / "b").write_bytes(b"22")
    (folder / "a").write_bytes(b"1")
    os.utime(folder / "a", (5, 7))
    listing = source.listing()
    assert [(f.name, f.size_bytes) for f in listing.files] == [("a", 1), ("b", 2)]
    assert listing.files[0].modified_at_s == 7
    assert listing.refused == ()


def test_listing_twice_gives_the_same(folder: Path, source: FolderSource) -> None:
    (folder / "a").touch()
    assert source.listing() == source.listing()
    assert len(source.listing().files) == 1


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_listed_as_refused_and_never_opened(
    folder: Path, source: FolderSource, kind: str
) -> None:
    make, why, code = SPECIAL[kind]
    make(folder / ISO)
    listing = source.listing()
    assert listing.files == ()
    assert listing.refused[0].shown_name == ISO
    assert why in listing.refused[0].why
    assert code_of(lambda: source.read_once(ISO, Progress())) == f"IMP-2/{code}"
    assert code_of(lambda: source.read_small(ISO, 10)) == f"IMP-2/{code}"
    assert code_of(lambda: source.inspect_image(ISO, "amd64")) == f"IMP-2/{code}"
    target = folder.parent / "copy"
    assert code_of(lambda: source.copy_small_to(ISO, target, 10)) == f"IMP-2/{code}"
    assert not target.exists()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_shown_escaped_and_refused(
    folder: Path, source: FolderSource, name: bytes
) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(b"x")
    listing = source.listing()
    assert listing.files == ()
    assert is_safe(listing.refused[0].shown_name)
    assert listing.refused[0].why.startswith("the name ")
    assert code_of(lambda: source.read_small(os.fsdecode(name), 10)) == "IMP-2/name"


def test_a_name_never_leaves_the_folder(folder: Path, source: FolderSource) -> None:
    (folder.parent / "outside").write_bytes(b"x")
    for name in ("../outside", str(folder.parent / "outside"), "..", ""):
        assert code_of(lambda name=name: source.read_small(name, 10)) == "IMP-2/name"  # type: ignore[misc]


def test_case_only_twins_are_both_refused(folder: Path, source: FolderSource) -> None:
    for name in ("pai.iso", "PAI.iso", "other"):
        (folder / name).touch()
    listing = source.listing()
    assert [file.name for file in listing.files] == ["other"]
    assert [entry.shown_name for entry in listing.refused] == ["PAI.iso", "pai.iso"]


def test_a_git_folder_beside_the_bundle_is_left_alone(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = folder / "repo.git/hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_bytes(b"#!/bin/sh\ntouch /tmp/owned\n")
    opened: list[Any] = []
    real = os.open

    def watch(*args: Any, **more: Any) -> int:
        opened.append(args[0])
        return real(*args, **more)

    monkeypatch.setattr(os, "open", watch)
    assert source.listing().refused[0].shown_name == "repo.git"
    assert opened == []


def test_too_many_entries_are_refused(folder: Path, source: FolderSource) -> None:
    for number in range(MAX_ENTRIES + 1):
        (folder / f"f{number}").touch()
    assert code_of(source.listing) == "IMP-2/too-many"


def test_a_file_of_absurd_size_is_refused(folder: Path, source: FolderSource) -> None:
    with (folder / ISO).open("wb") as file:
        file.truncate(source_module.MAX_FILE_BYTES + 1)
    assert "larger than" in source.listing().refused[0].why
    assert code_of(lambda: source.read_once(ISO, Progress())) == "IMP-2/not-a-file"


# --- reading ------------------------------------------------------------------------------


def test_small_files_are_read_up_to_their_limit(folder: Path, source: FolderSource) -> None:
    (folder / "SHA256SUMS").write_bytes(b"0123456789")
    assert source.read_small("SHA256SUMS", 10) == b"0123456789"
    assert code_of(lambda: source.read_small("SHA256SUMS", 9), FormatError) == "IMP-2/too-large"
    assert code_of(lambda: source.read_small("missing", 9), MediumError) == "IMP-2/missing"


def test_a_small_file_of_100_mb_is_not_read_beyond_its_limit(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "SHA256SUMS").write_bytes(bytes(100 << 20))
    got: list[int] = []
    real = os.read

    def counting(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        got.append(len(data))
        return data

    monkeypatch.setattr(os, "read", counting)
    assert code_of(lambda: source.read_small("SHA256SUMS", 1 << 20), FormatError)
    assert sum(got) == (1 << 20) + 1


def test_one_pass_gives_the_facts_and_a_bar_of_its_own(folder: Path, source: FolderSource) -> None:
    data = os.urandom(5 << 20)
    (folder / ISO).write_bytes(data)
    progress = Progress()
    found = source.read_once(ISO, progress)
    assert (found.name, found.size_bytes) == (ISO, len(data))
    assert found.modified_at_s == (folder / ISO).stat().st_mtime
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.blake2b_512 == hashlib.blake2b(data).hexdigest()
    (bar,) = progress.snapshot().bars
    assert (bar.label, bar.done_bytes, bar.total_bytes) == (ISO, len(data), len(data))


def test_a_cancel_stops_reading(folder: Path, source: FolderSource) -> None:
    (folder / ISO).write_bytes(b"x")
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        source.read_once(ISO, progress)


def swap(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def rewrite_and_hide_it(path: Path) -> None:
    times = path.stat()
    with path.open("r+b") as file:
        file.write(b"evil")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "swapped for an equal file": swap,
    "swapped for a link to itself": replace_by_link,
    "removed": lambda path: path.unlink(),
    "grown": lambda path: os.truncate(path, 6 << 20),
    "shrunk": lambda path: os.truncate(path, 3 << 20),
    "rewritten in place": lambda path: path.write_bytes(bytes(5 << 20)),
    "rewritten with its old date": rewrite_and_hide_it,
}


class ActsOnce(Progress):
    """Does something to the file when the first bytes were counted."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self._action: Callable[[], object] | None = action

    def add(self, count_bytes: int) -> None:
        super().add(count_bytes)
        if self._action is not None:
            self._action()
            self._action = None


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_hashed_is_refused(
    folder: Path, source: FolderSource, change: str
) -> None:
    path = folder / ISO
    path.write_bytes(os.urandom(5 << 20))
    progress = ActsOnce(lambda: CHANGES[change](path))
    assert code_of(lambda: source.read_once(ISO, progress)) == "IMP-3/changed-while-reading"


@pytest.mark.parametrize("change", ["swapped for an equal file", "rewritten with its old date"])
def test_a_file_that_changes_between_hashing_and_inspection_is_refused(
    folder: Path, source: FolderSource, change: str
) -> None:
    (folder / ISO).write_bytes(IPXE.read_bytes())
    source.read_once(ISO, Progress())
    CHANGES[change](folder / ISO)
    assert code_of(lambda: source.inspect_image(ISO, "amd64")) == "IMP-3/changed-while-reading"


def test_a_swap_is_seen_even_where_times_tell_nothing(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FAT has coarse times and no time of change at all.
    real = source_module._Identity.of

    def without_times(found: os.stat_result) -> source_module._Identity:
        return dataclasses.replace(real(found), modified_ns=0, changed_ns=0)

    monkeypatch.setattr(source_module._Identity, "of", without_times)
    (folder / ISO).write_bytes(os.urandom(5 << 20))
    progress = ActsOnce(lambda: swap(folder / ISO))
    assert code_of(lambda: source.read_once(ISO, progress)) == "IMP-3/changed-while-reading"


def test_a_fifo_put_there_between_the_look_and_the_opening_does_not_hang(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "regular").write_bytes(b"x")
    os.mkfifo(folder / ISO)
    looked = os.lstat(folder / "regular")
    monkeypatch.setattr(os, "lstat", lambda name, **more: looked)
    began = time.monotonic()
    assert code_of(lambda: source.read_small(ISO, 10)) == "IMP-2/not-a-file"
    assert time.monotonic() - began < 5


def test_reading_alone_is_no_change(folder: Path, source: FolderSource) -> None:
    (folder / ISO).write_bytes(IPXE.read_bytes())
    first = source.read_once(ISO, Progress())
    found = source.inspect_image(ISO, "amd64")
    assert not [finding for finding in found if finding.level is FindingLevel.BAD]
    assert source.read_once(ISO, Progress()) == first


# --- copying ------------------------------------------------------------------------------


def test_a_bundle_is_copied_privately(folder: Path, source: FolderSource, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (folder / "pai.bundle").write_bytes(data)
    target = tmp_path / "copy"
    source.copy_small_to("pai.bundle", target, 4 << 20)
    assert target.read_bytes() == data
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_copy_over_the_limit_or_over_something_leaves_nothing(
    folder: Path, source: FolderSource, tmp_path: Path
) -> None:
    (folder / "pai.bundle").write_bytes(bytes(100))
    target = tmp_path / "copy"
    assert code_of(lambda: source.copy_small_to("pai.bundle", target, 99), FormatError) == (
        "IMP-2/too-large"
    )
    assert not target.exists()
    target.write_bytes(b"theirs")
    code_of(lambda: source.copy_small_to("pai.bundle", target, 100), MediumError)
    assert target.read_bytes() == b"theirs"


# --- a medium that goes -------------------------------------------------------------------


def test_a_medium_whose_device_vanished_is_gone_and_not_empty(
    source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.listing().files == ()
    monkeypatch.setattr(source_module, "device_is_there", lambda device: False)
    assert code_of(source.listing, MediumError) == "IMP-1/gone"


def test_a_file_that_vanished_with_its_medium_is_not_just_missing(
    source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading() -> bytes:
        return source.read_small("pai.iso", 100)

    assert code_of(reading, MediumError) == "IMP-2/missing"
    monkeypatch.setattr(source_module, "device_is_there", lambda device: False)
    assert code_of(reading, MediumError) == "IMP-1/gone"


def test_a_failing_statvfs_is_gone_and_not_empty(
    source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fstatvfs", failing)
    assert code_of(source.listing, MediumError) == "IMP-1/gone"


def test_a_device_is_there_or_not() -> None:
    assert source_module.device_is_there(Path("/").stat().st_dev)
    assert source_module.device_is_there(Path("/proc").stat().st_dev)
    assert not source_module.device_is_there(os.makedev(8, 250))
