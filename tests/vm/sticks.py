"""Images of sticks: made, checked and read on the host, without the kernel that wrote them.

FAT32 is read by mtools(1); ext4 by e2fsprogs, which has its own code for the journal; exFAT by
exfat-fuse, a program. So a fault of the guest's filesystem code is not hidden by the same code.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.media import loop
from tests.vm.kernel import MOUNT_POINT
from tests.vm.write_log import SECTOR_BYTES

SIZE_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Filesystem:
    """One of the filesystems that a stick may have, and the stock tools for it."""

    name: str
    make: tuple[str, ...]
    #: Changes nothing, and exits with 0 where there is nothing to mend.
    check: tuple[str, ...]
    #: What a careful person runs after a power cut: it mends without a question.
    repair: tuple[str, ...]
    read: Callable[[Path, Path], None]

    def __str__(self) -> str:
        return self.name

    def new_stick(self, path: Path) -> Path:
        """The image of an empty stick, with some sectors behind the filesystem (``guest``)."""
        with path.open("wb") as file:
            file.truncate(SIZE_BYTES)
        _run(*self.make, str(path))
        with path.open("ab") as file:
            file.truncate(SIZE_BYTES + 8 * SECTOR_BYTES)
        return path

    def mount(self, device: str = "$STICK", options: str = "rw") -> str:
        """The guest's command."""
        return f"mount -t {self.name} -o noatime,{options} {device} {MOUNT_POINT}\n"

    def files(self, image: Path) -> dict[str, bytes]:
        """Every file by its path; the image itself stays as it is."""
        with tempfile.TemporaryDirectory() as folder:
            self.read(image, Path(folder))
            return {
                str(path.relative_to(folder)): path.read_bytes()
                for path in Path(folder).rglob("*")
                if path.is_file() and "lost+found" not in path.parts
            }

    def is_clean(self, image: Path) -> bool:
        """Whether the stock checker has nothing at all to say."""
        return _tried(*self.check, str(image)).returncode == 0

    def mend(self, image: Path) -> None:
        """Let the stock tool repair it, and see that nothing is left to do."""
        done = _tried(*self.repair, str(image))
        assert done.returncode in (0, 1), done.stdout  # fsck(8): nothing to mend, or mended
        assert self.is_clean(image), done.stdout


def _read_vfat(image: Path, into: Path) -> None:
    whole = _tried("mcopy", "-s", "-n", "-i", str(image), "::/", str(into))
    if whole.returncode == 0:
        return
    # mcopy ends at a file without clusters, as an unfinished one may be: take each by itself.
    for line in _run("mdir", "-b", "-/", "-i", str(image), "::/").splitlines():
        path = into / line.removeprefix("::/")
        if not line.endswith("/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            _tried("mcopy", "-n", "-i", str(image), line, str(path))


def _read_exfat(image: Path, into: Path) -> None:
    with _loop_device(image) as device, tempfile.TemporaryDirectory() as mount_point:
        _run("mount.exfat-fuse", "-o", "ro", device, mount_point)
        try:
            # After a cut a new folder may have no clusters yet, and exfat-fuse lists nothing of
            # a folder with one entry half written. A file that is missed so, the test misses.
            with contextlib.suppress(shutil.Error):
                shutil.copytree(mount_point, into, dirs_exist_ok=True)
        finally:
            _run("umount", mount_point)


@contextlib.contextmanager
def _loop_device(image: Path) -> Iterator[str]:
    device = _run("losetup", "--read-only", "--find", "--show", str(image)).strip()
    try:
        yield device
    finally:
        _run("losetup", "--detach", device)


def _read_ext4(image: Path, into: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        _run("cp", "--sparse=always", str(image), str(copy))
        # As the next mount does first: take over what stands in the journal.
        _run("e2fsck", "-y", "-E", "journal_only", str(copy))
        _run("debugfs", "-R", f"rdump / {into}", str(copy))


VFAT: Final = Filesystem(
    "vfat",
    make=("mkfs.vfat", "-F", "32", "-n", "PAI_STICK"),
    check=("fsck.fat", "-n"),
    repair=("fsck.fat", "-a"),
    read=_read_vfat,
)
EXFAT: Final = Filesystem(
    "exfat",
    make=("mkfs.exfat", "-L", "PAI_STICK"),
    check=("fsck.exfat", "-n"),
    repair=("fsck.exfat", "-y"),
    read=_read_exfat,
)
EXT4: Final = Filesystem(
    "ext4",
    make=("mkfs.ext4", "-q", "-F", "-L", "PAI_STICK"),
    check=("e2fsck", "-f", "-n"),
    repair=("e2fsck", "-p"),
    read=_read_ext4,
)
FILESYSTEMS: Final = {each.name: each for each in (VFAT, EXFAT, EXT4)}


def why_no_sticks() -> str:
    """Why one of them cannot be made or read here; empty if all can."""
    needed = (
        *("mkfs.vfat", "fsck.fat", "mcopy", "mdir", "fsck.exfat"),
        *("e2fsck", "debugfs", "filefrag"),
    )
    missing = [tool for tool in needed if shutil.which(tool) is None]
    return f"missing tools: {' '.join(missing)}" if missing else loop.why_no_loop()


def _tried(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def _run(*command: str) -> str:
    done = _tried(*command)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout
