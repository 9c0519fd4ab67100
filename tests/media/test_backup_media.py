"""Backup sets on real filesystems: rot, a pulled stick, read-only, who the medium is (CUS-2)."""

import os
from pathlib import Path

import pytest

from pai_signer.adapters.backup_reader import MediumBackupReader
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.media import SystemMedia
from pai_signer.domain.backup import COPIES, folder_name
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.progress import Progress
from pai_signer.errors import MediumError
from pai_signer.ports import FoundSet
from tests.media import loop
from tests.media.marks import needs_loop

pytestmark = needs_loop

FILES = {
    "RESTORE.txt": b"restore card\n" * 300,
    "minisign.key": os.urandom(300),
    "journal.jsonl": os.urandom(200_000),
}


def write(stick: loop.LoopMedium) -> None:
    for copy in COPIES:
        folder = folder_name("pai", 12, copy)
        MediumDestinations().write_release(stick.mount_point, folder, FILES, Progress())


def read(stick: loop.LoopMedium) -> tuple[FoundSet, ...]:
    return MediumBackupReader().read(stick.mount_point, "pai", Progress())


def test_a_set_is_read_back_from_a_medium_mounted_read_only(stick: loop.LoopMedium) -> None:
    write(stick)
    stick.make_read_only()
    (found,) = read(stick)
    assert found.number == 12
    assert list(found.copies) == ["a", "b", "c"]
    assert all(copy.files == FILES and copy.problems == {} for copy in found.copies.values())


def test_every_byte_comes_from_the_device(ext4: loop.LoopMedium) -> None:
    write(ext4)
    read(ext4)  # and so it is in the page cache as well
    before = ext4.bytes_read()
    read(ext4)
    assert ext4.bytes_read() - before >= 3 * sum(map(len, FILES.values()))


def test_rot_behind_the_page_cache_is_seen(ext4: loop.LoopMedium) -> None:
    write(ext4)
    cached = ext4.mount_point / folder_name("pai", 12, "a") / "minisign.key"
    assert cached.read_bytes() == FILES["minisign.key"]
    position = ext4.image.read_bytes().find(FILES["minisign.key"])
    with ext4.image.open("r+b") as file:
        file.seek(position)
        file.write(b"rot!")
    assert cached.read_bytes() == FILES["minisign.key"]
    (found,) = read(ext4)
    rotted = [c for c, copy in found.copies.items() if copy.files != FILES]
    assert len(rotted) == 1
    assert found.copies[rotted[0]].files["minisign.key"].startswith(b"rot!")


def test_a_pulled_stick_is_gone_and_not_empty(stick: loop.LoopMedium) -> None:
    write(stick)
    read(stick)
    stick.unplug()
    with pytest.raises(MediumError) as caught:
        read(stick)
    assert caught.value.code.endswith("/gone")


def test_an_emptied_stick_is_empty(stick: loop.LoopMedium) -> None:
    assert read(stick) == ()


def test_a_medium_is_known_by_what_its_filesystem_says(stick: loop.LoopMedium) -> None:
    media = SystemMedia(include_loop=True)
    identity = media.identify(stick.mount_point)
    assert identity.is_known
    assert identity.label == "PAI_TEST"
    folder = stick.mount_point / folder_name("pai", 12, "a")
    folder.mkdir()
    assert media.identify(folder) == identity
    stick.remount()
    assert media.identify(stick.mount_point) == identity
    with loop.medium(stick.filesystem) as other:
        assert media.identify(other.mount_point).uuid not in ("", identity.uuid)
    # Loop devices are nobody's stick, nor is a folder of the disk.
    assert SystemMedia().identify(stick.mount_point) == MediumIdentity()
    assert media.identify(Path("/")) == MediumIdentity()
    stick.unplug()
    assert not media.identify(stick.mount_point).is_known
