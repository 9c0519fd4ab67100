"""Writing what must last: order of calls, modes, and nothing half-written after a failure."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import device_errors, durable
from pai_signer.errors import MediumError, PolicyRefused

Trace = list[str]


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """The system calls that matter, in order; a descriptor is shown by what it was opened as."""
    calls: Trace = []
    opened: dict[int, str] = {}
    real_open, real_fsync, real_rename = os.open, os.fsync, os.rename

    def trace_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        descriptor = real_open(path, flags, *rest, **more)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        opened[descriptor] = "folder" if is_folder else "file"
        return descriptor

    def trace_fsync(descriptor: int) -> None:
        calls.append(f"fsync {opened[descriptor]}")
        real_fsync(descriptor)

    def trace_rename(*args: Any, **more: Any) -> None:
        calls.append("rename")
        real_rename(*args, **more)

    real_renameat2 = durable._renameat2

    def trace_renameat2(folder: int, old: str, new: str, flags: int) -> None:
        calls.append("rename")
        real_renameat2(folder, old, new, flags)

    monkeypatch.setattr(os, "open", trace_open)
    monkeypatch.setattr(os, "fsync", trace_fsync)
    monkeypatch.setattr(os, "rename", trace_rename)
    monkeypatch.setattr(durable, "_renameat2", trace_renameat2)
    return calls


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the order ----------------------------------------------------------------------------


@pytest.mark.parametrize("write", [durable.replace, durable.create])
def test_the_order_is_fsync_rename_fsync_again_fsync_folder(
    tmp_path: Path, trace: Trace, write: Callable[[Path, bytes], None]
) -> None:
    write(tmp_path / "a", b"data")
    assert trace == ["fsync file", "rename", "fsync file", "fsync folder"]


def test_an_append_is_synced_and_a_new_files_folder_too(tmp_path: Path, trace: Trace) -> None:
    durable.append(tmp_path / "j", b"1\n")
    assert trace == ["fsync file", "fsync folder"]
    trace.clear()
    durable.append(tmp_path / "j", b"2\n")
    assert trace == ["fsync file"]
    assert (tmp_path / "j").read_bytes() == b"1\n2\n"


# --- what stands afterwards ---------------------------------------------------------------


def test_files_are_private_and_folders_too(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    durable.make_directory(folder)
    durable.make_directory(folder)
    durable.create(folder / "c", b"")
    durable.append(folder / "j", b"")
    assert (mode(tmp_path / "a"), mode(folder)) == (0o700, 0o700)
    assert (mode(folder / "c"), mode(folder / "j")) == (0o600, 0o600)


def test_replace_replaces_and_create_refuses(tmp_path: Path) -> None:
    path = tmp_path / "a"
    durable.replace(path, b"old")
    durable.replace(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(PolicyRefused) as caught:
        durable.create(path, b"newer")
    assert caught.value.code == "EXP-2/exists"
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("appears", ["before the look", "after the look", "FUSE"])
def test_create_never_overwrites_even_what_appears_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appears: str
) -> None:
    path, real = tmp_path / "a", durable._renameat2

    def race(folder: int, old: str, new: str, flags: int) -> None:
        path.write_bytes(b"theirs")
        if appears == "FUSE":
            raise OSError(errno.EINVAL, "no such flag")
        real(folder, old, new, flags)

    if appears == "before the look":
        path.write_bytes(b"theirs")
    else:
        monkeypatch.setattr(durable, "_renameat2", race)
    with pytest.raises(PolicyRefused):
        durable.create(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert names_in(tmp_path) == ["a"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(target)
    durable.replace(link, b"new")  # replaces the link itself
    assert (link.is_symlink(), link.read_bytes()) == (False, b"new")
    link.unlink()
    link.symlink_to(target)
    with pytest.raises(MediumError):
        durable.append(link, b"more")
    with pytest.raises(PolicyRefused):
        durable.create(link, b"new")
    assert target.read_bytes() == b"precious"
    folder_link = tmp_path / "folder"
    folder_link.symlink_to(tmp_path)
    with pytest.raises(MediumError):
        durable.make_directory(folder_link)
    with pytest.raises(MediumError):
        durable.replace(folder_link / "x", b"")


def test_remove_is_synced_and_nothing_there_is_fine(tmp_path: Path, trace: Trace) -> None:
    durable.create(tmp_path / "a", b"")
    trace.clear()
    durable.remove(tmp_path / "a")
    assert trace == ["fsync folder"]
    durable.remove(tmp_path / "a")
    assert names_in(tmp_path) == []


# --- whole folders ------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_published_folder_appears_whole_and_is_exchanged_whole(tmp_path: Path) -> None:
    folder = tmp_path / "staging"
    durable.publish_directory(folder, {"a": b"1", "b": b"2"})
    assert contents(folder) == {"a": b"1", "b": b"2"}
    durable.publish_directory(folder, {"b": b"3", "c": b"4"})
    assert contents(folder) == {"b": b"3", "c": b"4"}
    assert names_in(tmp_path) == ["staging"]
    assert mode(folder) == 0o700


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5, 6, 7])
def test_a_failed_publication_leaves_the_old_folder_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    folder = tmp_path / "staging"
    durable.publish_directory(folder, {"a": b"old"})
    fail_at(monkeypatch, "fsync", failing, errno.EIO)
    with pytest.raises(MediumError):
        durable.publish_directory(folder, {"a": b"new", "b": b"new"})
    monkeypatch.undo()
    assert contents(folder) == {"a": b"old"}
    assert names_in(tmp_path) == ["staging"]


def test_sweep_removes_what_a_power_cut_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".pai-signer-0123456789ab.tmp").write_bytes(b"half")
    (tmp_path / ".pai-signer-ba9876543210.tmp").mkdir()
    (tmp_path / ".pai-signer-ba9876543210.tmp/a").write_bytes(b"half")
    (tmp_path / "keep.tmp").write_bytes(b"")
    with durable.held_directory(tmp_path) as held:
        durable.sweep(held)
    assert names_in(tmp_path) == ["keep.tmp"]


# --- faults -------------------------------------------------------------------------------

CAUSES = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EIO: "gone",
    errno.ENODEV: "gone",
    errno.ENXIO: "gone",
    errno.ENOTCONN: "gone",
    errno.EFBIG: "too-large",
    errno.ENAMETOOLONG: "name",
    errno.EINVAL: "name",
    errno.EACCES: "no-permission",
    errno.ENOENT: "missing",
    errno.EMFILE: "failed",
}


def fail_at(monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: int) -> None:
    """Let the ``number``-th ``os.call`` fail; a write first writes half of what it was given."""
    real, calls = getattr(os, call), []

    def failing(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == number:
            if call == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            raise OSError(code, os.strerror(code))
        return real(*args, **more)

    monkeypatch.setattr(os, call, failing)


@pytest.mark.parametrize(("code", "name"), CAUSES.items())
def test_each_cause_has_its_own_error(code: int, name: str) -> None:
    error = device_errors.medium_error(OSError(code, os.strerror(code)), "write 'x'")
    assert error.code == f"EXP-2/{name}"
    assert error.summary.startswith("Could not write 'x': ")
    assert error.hint


def test_the_causes_read_differently() -> None:
    shown = {device_errors.medium_error(OSError(code, ""), "x").summary for code in CAUSES}
    assert len(shown) == len(set(CAUSES.values()))


@pytest.mark.parametrize(
    ("call", "number"), [("open", 2), ("write", 1), ("fsync", 1), ("fsync", 2), ("fsync", 3)]
)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failed_create_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: int
) -> None:
    fail_at(monkeypatch, call, number, code)
    with pytest.raises(MediumError) as caught:
        durable.create(tmp_path / "a", b"data")
    monkeypatch.undo()
    assert caught.value.code == f"EXP-2/{CAUSES[code]}"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("call", "number", "left"),
    [
        ("write", 1, b"old"),
        ("fsync", 1, b"old"),
        ("rename", 1, b"old"),
        ("fsync", 2, b"new!"),
        ("fsync", 3, b"new!"),
    ],
)
def test_a_failed_replace_leaves_old_or_new_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, left: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    fail_at(monkeypatch, call, number, errno.EIO)
    with pytest.raises(MediumError):
        durable.replace(path, b"new!")
    monkeypatch.undo()
    assert contents(tmp_path) == {"a": left}


@pytest.mark.parametrize(("call", "number"), [("write", 1), ("fsync", 1)])
def test_a_failed_append_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "j"
    durable.append(path, b"line 1\n")
    fail_at(monkeypatch, call, number, errno.ENOSPC)
    with pytest.raises(MediumError):
        durable.append(path, b"line 2\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"line 1\n"


def test_an_interrupt_leaves_no_temporary_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        durable.create(tmp_path / "a", b"data")
    monkeypatch.undo()
    assert names_in(tmp_path) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    durable.create(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_flushing_a_filesystem_reports_a_bad_descriptor() -> None:
    with pytest.raises(MediumError):
        durable.sync_filesystem(-1)
