"""Export to a folder (EXP-2): refused before writing, complete after it, or taken back."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import destination as destination_module
from pai_signer.adapters import device_errors, durable
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.domain.page import Mark
from pai_signer.domain.progress import Progress
from pai_signer.errors import Cancelled, MediumError, PolicyRefused, SignerError
from pai_signer.ports import WrittenFile

FILES = {
    "SHA256SUMS": b"sums",
    "UPLOAD.md": os.urandom(5000),
    "empty": b"",
    "keys/minisign.pub": b"key",
    "keys/registry.json": b"{}",
}
FOLDER = "pai-0.2.0"


def export(
    medium: Path, files: dict[str, bytes] = FILES, progress: Progress | None = None
) -> tuple[WrittenFile, ...]:
    return MediumDestinations().write_release(medium, FOLDER, files, progress or Progress())


def tree(medium: Path) -> dict[str, bytes | None]:
    """Everything on the medium: files with their content, folders with None."""
    return {
        str(path.relative_to(medium)): path.read_bytes() if path.is_file() else None
        for path in medium.rglob("*")
    }


WHOLE = {FOLDER: None, f"{FOLDER}/keys": None} | {f"{FOLDER}/{n}": d for n, d in FILES.items()}


def refusal(medium: Path, files: dict[str, bytes] = FILES) -> SignerError:
    before = tree(medium)
    with pytest.raises(SignerError) as caught:
        export(medium, files)
    assert tree(medium) == before
    assert caught.value.hint
    return caught.value


# --- all is well --------------------------------------------------------------------------


def test_every_file_arrives_and_is_reported(tmp_path: Path) -> None:
    written = export(tmp_path)
    assert tree(tmp_path) == WHOLE
    assert written == tuple(
        WrittenFile(name, len(data), hashlib.sha256(data).hexdigest(), was_there_already=False)
        for name, data in sorted(FILES.items())
    )


def test_each_stage_is_told_when_it_is_done(tmp_path: Path) -> None:
    progress = Progress()
    export(tmp_path, progress=progress)
    lines = progress.snapshot().lines
    assert [line.label for line in lines] == ["write", "sync", "read back", "compare"]
    assert {line.mark for line in lines} == {Mark.OK}
    assert all(bar.done_bytes == bar.total_bytes for bar in progress.snapshot().bars)


def test_the_same_again_is_kept_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path)
    monkeypatch.setattr(durable, "write_at", None)
    assert {file.was_there_already for file in export(tmp_path)} == {True}
    assert tree(tmp_path) == WHOLE


def test_a_second_visit_adds_what_is_missing(tmp_path: Path) -> None:
    export(tmp_path, {"UPLOAD.md": FILES["UPLOAD.md"], "keys/minisign.pub": b"key"})
    kept = {file.name for file in export(tmp_path) if file.was_there_already}
    assert kept == {"UPLOAD.md", "keys/minisign.pub"}
    assert tree(tmp_path) == WHOLE


def test_what_a_power_cut_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / ".pai-signer-0123456789ab.tmp").write_bytes(b"half")
    export(tmp_path)
    assert tree(tmp_path) == WHOLE


def test_strangers_beside_our_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "holiday.jpg").write_bytes(b"jpg")
    export(tmp_path)
    assert tree(tmp_path) == WHOLE | {f"{FOLDER}/holiday.jpg": b"jpg"}


# --- refused before anything is written ---------------------------------------------------


@pytest.mark.parametrize("name", ["UPLOAD.md", "keys/minisign.pub"])
@pytest.mark.parametrize("content", [b"", b"other", b"K"])
def test_other_content_is_never_overwritten(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / FOLDER / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    error = refusal(tmp_path)
    assert error.code == "EXP-2/other-content"
    assert error.unchanged == "Nothing was written to the medium."


def test_other_content_of_the_same_size_is_seen(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "SHA256SUMS").write_bytes(b"suns")
    assert refusal(tmp_path).code == "EXP-2/other-content"


def test_a_giant_under_our_name_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FOLDER).mkdir()
    with (tmp_path / FOLDER / "SHA256SUMS").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(os, "readv", None)
    with pytest.raises(PolicyRefused) as caught:
        export(tmp_path)
    assert caught.value.code == "EXP-2/other-content"


@pytest.mark.parametrize("name", ["sha256sums", "Upload.md", "Keys"])
def test_a_name_that_differs_only_in_case_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / name).write_bytes(b"")
    assert refusal(tmp_path).code == "EXP-2/twin"


def test_a_folder_that_differs_only_in_case_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER.upper()).mkdir()
    assert refusal(tmp_path).code == "EXP-2/twin"


@pytest.mark.parametrize("where", [FOLDER, f"{FOLDER}/keys"])
@pytest.mark.parametrize("what", ["link", "file"])
def test_a_link_or_a_file_in_place_of_a_folder_is_refused(
    tmp_path: Path, where: str, what: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    medium = tmp_path / "medium"
    path = medium / where
    path.parent.mkdir(parents=True)
    if what == "link":
        path.symlink_to(outside)
    else:
        path.write_bytes(b"")
    assert refusal(medium).code == "EXP-2/not-a-folder"
    assert tree(outside) == {}


def test_a_link_or_a_pipe_in_place_of_a_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / "empty"
    path.symlink_to("/dev/null")
    assert refusal(tmp_path).code == "EXP-2/other-content"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PolicyRefused):
        export(tmp_path)


def test_a_linked_medium_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(PolicyRefused) as caught:
        export(tmp_path / "link")
    assert caught.value.code == "EXP-2/symlink"


def test_a_missing_medium_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(MediumError) as caught:
        export(tmp_path / "nothing")
    assert caught.value.code == "EXP-2/missing"


@pytest.mark.parametrize("name", ["../x", "/x", "a/b/c", "a//b", "-x", ".x", "a\nb", "keys/../x"])
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, {name: b""}).code == "IMP-2/name"


def test_files_that_would_be_one_on_fat_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"a": b"1", "A": b"2"}).code == "EXP-2/twin"


def fake_statvfs(monkeypatch: pytest.MonkeyPatch, *, free_blocks: int, flag: int = 0) -> None:
    facts = os.statvfs_result(
        (4096, 4096, 1000, free_blocks, free_blocks, 100, 100, 100, flag, 255)
    )
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: facts)


def test_a_medium_without_room_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_statvfs(monkeypatch, free_blocks=16)
    error = refusal(tmp_path)
    assert (error.code, error.exit_code) == ("EXP-2/full", 5)
    fake_statvfs(monkeypatch, free_blocks=22)  # 5 blocks of content, 16 of spare, one more
    export(tmp_path)


def test_a_read_only_medium_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_statvfs(monkeypatch, free_blocks=1000, flag=os.ST_RDONLY)
    assert refusal(tmp_path).code == "EXP-2/read-only"


def test_a_vanished_device_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination_module, "device_is_there", lambda device: False)
    assert refusal(tmp_path).code == "EXP-2/gone"


# --- failures while writing ---------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync", "mkdir", "readv"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failure_at_any_call_takes_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    # The n-th call fails, for every n that an undisturbed export makes.
    real = getattr(os, call)
    for failing in range(1, 100):
        count = 0

        def fail_once(*args: Any, failing: int = failing, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == failing:
                raise OSError(code, os.strerror(code))
            return real(*args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail_once)
            if call == "fsync":
                patch.setattr(durable, "sync_filesystem", lambda descriptor: None)
            try:
                export(tmp_path)
            except MediumError as error:
                found = error
            else:
                break
        assert found.code.startswith("EXP-2/")
        assert tree(tmp_path) == {}
    assert failing > 2
    assert tree(tmp_path) == WHOLE


def test_a_failing_flush_takes_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # umount(8) returned 0 over failing writes; syncfs(2) is what told.
    def failing(descriptor: int) -> None:
        raise device_errors.medium_error(OSError(errno.EIO, ""), "flush the medium")

    monkeypatch.setattr(durable, "sync_filesystem", failing)
    assert refusal(tmp_path).code == "EXP-2/gone"


def test_a_medium_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rot(descriptor: int) -> None:
        (tmp_path / FOLDER / "SHA256SUMS").write_bytes(b"sumz")

    monkeypatch.setattr(durable, "sync_filesystem", rot)
    assert refusal(tmp_path).code == "EXP-2/read-back"


def test_a_failure_keeps_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path, {"UPLOAD.md": FILES["UPLOAD.md"]})
    before = tree(tmp_path)

    def failing(descriptor: int) -> None:
        raise device_errors.medium_error(OSError(errno.EIO, ""), "flush the medium")

    monkeypatch.setattr(durable, "sync_filesystem", failing)
    with pytest.raises(MediumError):
        export(tmp_path)
    assert tree(tmp_path) == before


def test_a_cancel_at_any_moment_takes_everything_back(tmp_path: Path) -> None:
    class CancelsAt(Progress):
        left = 0

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                self.cancel()
            super().check()

    for checks in range(100):
        progress = CancelsAt()
        progress.left = checks
        try:
            export(tmp_path, progress=progress)
        except Cancelled:
            assert tree(tmp_path) == {}
        else:
            break
    assert checks > len(FILES)
    assert tree(tmp_path) == WHOLE


def test_the_page_cache_is_bypassed_or_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def readings(*, direct: bool) -> tuple[int, int]:
        opened, advised = [], []
        real_open, real_advise = os.open, os.posix_fadvise

        def watch_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_DIRECT:
                opened.append(path)
                if not direct:
                    raise OSError(errno.EINVAL, "no direct reading here")
            return real_open(path, flags, *rest, **more)

        def watch_advise(descriptor: int, at: int, count: int, advice: int) -> None:
            advised.append(advice)
            real_advise(descriptor, at, count, advice)

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", watch_open)
            patch.setattr(os, "posix_fadvise", watch_advise)
            export(tmp_path)
        return len(opened), advised.count(os.POSIX_FADV_DONTNEED)

    assert readings(direct=True) == (len(FILES), len(FILES))
    # Kept files are compared once more than they are read back.
    assert readings(direct=False) == (2 * len(FILES), 2 * len(FILES))


def test_a_filesystem_that_refuses_direct_reads_late_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open, real_readv = os.open, os.readv
    direct: set[int] = set()

    def watch_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        descriptor = real_open(path, flags, *rest, **more)
        (direct.add if flags & os.O_DIRECT else direct.discard)(descriptor)
        return descriptor

    def refuse(descriptor: int, buffers: Any) -> int:
        if descriptor in direct:
            raise OSError(errno.EINVAL, "no direct reading here")
        return real_readv(descriptor, buffers)

    monkeypatch.setattr(os, "open", watch_open)
    monkeypatch.setattr(os, "readv", refuse)
    assert len(export(tmp_path)) == len(FILES)
