"""The adapters on real filesystems: full, read-only, pulled out, counted by the kernel."""

import os
import subprocess
from pathlib import Path

import pytest

from pai_signer.adapters import durable
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.media import SystemMedia
from pai_signer.adapters.source import FolderSources
from pai_signer.domain.artifact import FindingLevel
from pai_signer.domain.progress import Progress
from pai_signer.errors import MediumError, PolicyRefused, SignerError
from pai_signer.ports import Medium
from tests.media import loop
from tests.media.marks import needs_loop

pytestmark = needs_loop

FILES = {
    "SHA256SUMS": b"a" * 700,
    "SHA256SUMS.asc": b"b" * 300,
    "keys/minisign.pub": b"c" * 100,
    "tag.bundle": os.urandom(5000),
}
GRUB = Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso")
IPXE = Path("/usr/lib/ipxe/ipxe.iso")
MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")


def export(stick: loop.LoopMedium, progress: Progress | None = None) -> None:
    MediumDestinations().write_release(
        stick.mount_point, "pai-0.2.0", FILES, progress or Progress()
    )


def on_medium(stick: loop.LoopMedium) -> dict[str, bytes]:
    top = stick.mount_point
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and "lost+found" not in path.parts
    }


def test_a_release_is_on_the_medium_after_it_was_unmounted(stick: loop.LoopMedium) -> None:
    export(stick)
    stick.remount()
    assert on_medium(stick) == {f"pai-0.2.0/{name}": data for name, data in FILES.items()}


def test_a_medium_that_fills_up_mid_write_gets_nothing(stick: loop.LoopMedium) -> None:
    blob = os.urandom(4 * loop.MIB)
    files = {f"part{i}": blob for i in range(12)}
    with pytest.raises(MediumError) as caught:
        MediumDestinations().write_release(stick.mount_point, "big", files, Progress())
    assert caught.value.code == "EXP-2/full"
    assert on_medium(stick) == {}


def test_a_full_medium_found_only_while_writing_is_cleaned_up(
    stick: loop.LoopMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pai_signer.adapters.destination._Release.check_room", lambda self: None)
    files = {f"part{i}": os.urandom(4 * loop.MIB) for i in range(12)}
    with pytest.raises(MediumError) as caught:
        MediumDestinations().write_release(stick.mount_point, "big", files, Progress())
    assert caught.value.code == "EXP-2/full"
    assert "no space left" in caught.value.summary
    assert on_medium(stick) == {}
    assert not (stick.mount_point / "big").exists()


def test_a_read_only_medium_has_its_own_error(stick: loop.LoopMedium) -> None:
    stick.make_read_only()
    with pytest.raises(MediumError) as caught:
        export(stick)
    assert caught.value.code == "EXP-2/read-only"
    assert on_medium(stick) == {}


def test_a_medium_pulled_out_before_writing_is_gone(stick: loop.LoopMedium) -> None:
    stick.unplug()
    with pytest.raises(MediumError) as caught:
        export(stick)
    assert caught.value.code == "EXP-2/gone"


def test_a_medium_pulled_out_between_two_files_is_gone(
    stick: loop.LoopMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = durable.write_at, []

    def unplug_then_write(folder: int, name: str, data: bytes, **how: bool | int) -> None:
        calls.append(name)
        if len(calls) == 3:
            stick.unplug()
        real(folder, name, data, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "write_at", unplug_then_write)
    with pytest.raises(MediumError) as caught:
        export(stick)
    assert caught.value.code == "EXP-2/gone"
    assert len(calls) == 3


def test_a_pulled_medium_is_not_an_empty_one(ext4: loop.LoopMedium) -> None:
    with FolderSources().open(ext4.mount_point) as source:
        assert source.listing().files == ()
        ext4.unplug()
        with pytest.raises(MediumError) as caught:
            source.listing()
    assert caught.value.code == "IMP-1/gone"


def test_a_pulled_medium_while_hashing_is_gone_not_changed(stick: loop.LoopMedium) -> None:
    (stick.mount_point / "pai.iso").write_bytes(os.urandom(12 * loop.MIB))
    stick.remount()
    with FolderSources().open(stick.mount_point) as source:
        stick.unplug()
        with pytest.raises(MediumError) as caught:
            source.read_once("pai.iso", Progress())
    assert caught.value.code.endswith("/gone")


def test_case_only_twins_are_refused_on_every_filesystem(stick: loop.LoopMedium) -> None:
    folder = stick.mount_point / "pai-0.2.0"
    folder.mkdir()
    (folder / "sha256sums").write_bytes(FILES["SHA256SUMS"])
    with pytest.raises(PolicyRefused) as caught:
        export(stick)
    assert caught.value.code == "EXP-2/twin"
    assert on_medium(stick) == {"pai-0.2.0/sha256sums": FILES["SHA256SUMS"]}


def test_bytes_read_from_the_medium_stay_within_the_promise(ext4: loop.LoopMedium) -> None:
    # 1.01 x the artifacts + 4 MiB, counted by the kernel; each image is read once.
    images = {"pai-0.2.0-amd64.iso": IPXE, "pai-0.2.0-arm64.iso": MEMTEST}
    for name, image in images.items():
        (ext4.mount_point / name).write_bytes(image.read_bytes())
    ext4.remount()
    total = sum(image.stat().st_size for image in images.values())
    before = ext4.bytes_read()
    findings = {}
    with FolderSources().open(ext4.mount_point) as source:
        for name, image in images.items():
            assert source.read_once(name, Progress()).size_bytes == image.stat().st_size
            # Nothing may rest on the page cache: a real image is larger than memory.
            with (ext4.mount_point / name).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            findings[name] = source.inspect_image(name, "amd64")
    counted = ext4.bytes_read() - before
    assert total <= counted <= total * 1.01 + 4 * loop.MIB
    assert all(f.level is not FindingLevel.BAD for found in findings.values() for f in found)


def test_an_unchanged_file_is_not_called_changed(stick: loop.LoopMedium) -> None:
    # FUSE and FAT keep coarser times and other inode numbers than ext4.
    (stick.mount_point / "pai.iso").write_bytes(IPXE.read_bytes())
    with FolderSources().open(stick.mount_point) as source:
        first = source.read_once("pai.iso", Progress())
        source.inspect_image("pai.iso", "amd64")
        assert source.read_once("pai.iso", Progress()) == first
        assert [file.name for file in source.listing().files] == ["pai.iso"]
    stick.remount()
    with FolderSources().open(stick.mount_point) as source:
        assert source.read_once("pai.iso", Progress()).sha256 == first.sha256


def test_inspection_alone_reads_little(ext4: loop.LoopMedium) -> None:
    # Some ten small reads, with no read-ahead around them, and the filesystem's own blocks.
    (ext4.mount_point / "pai.iso").write_bytes(GRUB.read_bytes())
    ext4.remount()
    before = ext4.bytes_read()
    with FolderSources().open(ext4.mount_point) as source:
        found = source.inspect_image("pai.iso", "amd64")
    assert any("nothing appended" in finding.text for finding in found)
    assert ext4.bytes_read() - before < 32 << 10


def rot_on_the_device(stick: loop.LoopMedium, content: bytes) -> None:
    """Change the start of ``content`` on the device, behind the filesystem's back."""
    position = stick.image.read_bytes().find(content)
    assert position > 0
    with stick.image.open("r+b") as file:
        file.seek(position)
        file.write(b"rot!")


def test_the_read_back_is_counted_by_the_kernel(ext4: loop.LoopMedium) -> None:
    before = ext4.bytes_read()
    export(ext4)
    assert ext4.bytes_read() - before >= sum(map(len, FILES.values()))


def test_a_medium_that_stores_something_else_is_found_and_gets_nothing(
    ext4: loop.LoopMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = durable.sync_filesystem

    def flush_then_rot(descriptor: int) -> None:
        flush(descriptor)
        rot_on_the_device(ext4, FILES["tag.bundle"])

    monkeypatch.setattr(durable, "sync_filesystem", flush_then_rot)
    progress = Progress()
    with pytest.raises(MediumError) as caught:
        export(ext4, progress)
    assert caught.value.code == "EXP-2/read-back"
    assert "compare" not in [line.label for line in progress.snapshot().lines]
    assert on_medium(ext4) == {}


def test_a_file_that_rotted_is_not_taken_for_the_same(ext4: loop.LoopMedium) -> None:
    export(ext4)
    cached = ext4.mount_point / "pai-0.2.0/tag.bundle"
    assert cached.read_bytes() == FILES["tag.bundle"]
    rot_on_the_device(ext4, FILES["tag.bundle"])
    assert cached.read_bytes() == FILES["tag.bundle"]  # the page cache knows of no rot
    with pytest.raises(PolicyRefused) as caught:
        export(ext4)
    assert caught.value.code == "EXP-2/other-content"


def test_a_loop_medium_is_listed_only_for_tests_and_unmounted(ext4: loop.LoopMedium) -> None:
    def seen(media: SystemMedia) -> list[Medium]:
        return [medium for medium in media.list() if medium.device == ext4.device]

    assert seen(SystemMedia()) == []
    (found,) = seen(SystemMedia(include_loop=True))
    assert found.mounted_at == ext4.mount_point
    assert found.filesystem == "ext4"
    assert found.size_bytes == 32 * loop.MIB
    assert not found.read_only
    assert SystemMedia(include_loop=True).mount(found) == found
    assert seen(SystemMedia(include_loop=True, vault=ext4.mount_point)) == []
    assert SystemMedia().unmount(ext4.mount_point) is False
    assert os.path.ismount(ext4.mount_point)
    inner = ext4.mount_point / "pai-0.2.0"
    inner.mkdir()
    assert SystemMedia(include_loop=True).unmount(inner) is True
    assert not os.path.ismount(ext4.mount_point)


def test_a_busy_medium_is_not_safe_to_remove(ext4: loop.LoopMedium) -> None:
    holder = subprocess.Popen(["sleep", "30"], cwd=ext4.mount_point)
    try:
        with pytest.raises(MediumError) as caught:
            SystemMedia(include_loop=True).unmount(ext4.mount_point)
    finally:
        holder.kill()
        holder.wait()
    assert caught.value.code == "EXP-2/still-mounted"
    assert os.path.ismount(ext4.mount_point)


def test_a_cancel_during_export_leaves_nothing(stick: loop.LoopMedium) -> None:
    class CancelsAtTheThirdCheck(Progress):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == 3:
                self.cancel()
            super().check()

    with pytest.raises(SignerError) as caught:
        export(stick, CancelsAtTheThirdCheck())
    assert caught.value.code == "FACE-3/cancelled"
    assert on_medium(stick) == {}
    assert not (stick.mount_point / "pai-0.2.0").exists()
