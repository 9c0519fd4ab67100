"""Real media for tests: ext4 and exFAT on loop devices, which can be pulled out.

Needs root and a kernel with loop devices; ``why_no_loop`` says why not, for a skip.
``unplug`` shrinks the device under the filesystem to nothing: from then on the
kernel answers EIO, as it does for a stick that was pulled out.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass
class LoopMedium:
    """A mounted image: where, on which loop device, of which kind."""

    image: Path
    device: str
    mount_point: Path
    filesystem: str

    def unplug(self) -> None:
        os.truncate(self.image, 0)
        _run("losetup", "--set-capacity", self.device)

    def make_read_only(self) -> None:
        if self.filesystem == "ext4":
            _run("mount", "-o", "remount,ro", str(self.mount_point))
        else:  # FUSE knows no remount
            self._unmount()
            self._mount("ro")

    def remount(self) -> None:
        """Unmount and mount again: nothing but what the medium holds is left."""
        self._unmount()
        self._mount("rw")

    def bytes_read(self) -> int:
        """Bytes read from the device as the kernel counts them (Documentation/block/stat)."""
        fields = Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()
        return int(fields[2]) * 512

    def _mount(self, options: str) -> None:
        if self.filesystem == "ext4":
            _run("mount", "-o", options, self.device, str(self.mount_point))
        else:
            _run("mount.exfat-fuse", "-o", options, self.device, str(self.mount_point))

    def _unmount(self) -> None:
        # A FUSE daemon writes out and ends before umount returns; "busy" passes by itself.
        for attempt in range(20):
            done = subprocess.run(
                ["umount", str(self.mount_point)], check=False, capture_output=True, text=True
            )
            if done.returncode == 0:
                return
            time.sleep(0.05 * attempt)
        raise AssertionError(done.stderr)


@contextlib.contextmanager
def medium(
    filesystem: str, *, size_bytes: int = 32 * MIB, read_only: bool = False
) -> Iterator[LoopMedium]:
    """An empty, mounted medium: ``ext4`` or ``exfat``."""
    with contextlib.ExitStack() as stack:
        base = Path(tempfile.mkdtemp(prefix="pai-medium-"))
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        image = base / "image"
        with image.open("wb") as file:
            file.truncate(size_bytes)
        if filesystem == "ext4":
            _run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-L", "PAI_TEST", str(image))
        else:
            _run("mkfs.exfat", "-L", "PAI_TEST", str(image))
        device = _run("losetup", "--find", "--show", str(image)).strip()
        stack.callback(_run, "losetup", "--detach", device)
        mount_point = base / "mount"
        mount_point.mkdir()
        made = LoopMedium(image, device, mount_point, filesystem)
        made._mount("ro" if read_only else "rw")
        stack.callback(_unmount_whatever_happened, mount_point)
        yield made


def why_no_loop() -> str:
    """Why real media cannot be made here; empty if they can."""
    return _why_no_loop("ext4") or _why_no_loop("exfat")


@functools.cache
def _why_no_loop(filesystem: str) -> str:
    if os.geteuid() != 0:
        return "loop devices need root"
    tools = {"ext4": ("mke2fs",), "exfat": ("mkfs.exfat", "mount.exfat-fuse")}[filesystem]
    missing = [tool for tool in (*tools, "losetup", "mount") if shutil.which(tool) is None]
    if missing:
        return f"missing tools: {' '.join(missing)} (e2fsprogs, exfatprogs, exfat-fuse)"
    try:
        with medium(filesystem, size_bytes=8 * MIB):
            return ""
    except subprocess.CalledProcessError as error:
        return f"the kernel refuses: {error.cmd[0]}: {error.stderr.strip()}"


def _unmount_whatever_happened(mount_point: Path) -> None:
    if os.path.ismount(mount_point) or not _answers(mount_point):
        subprocess.run(["umount", str(mount_point)], check=False, capture_output=True)
        if os.path.ismount(mount_point):
            subprocess.run(["umount", "--lazy", str(mount_point)], check=False)


def _answers(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _run(*command: str) -> str:
    return subprocess.run(list(command), check=True, capture_output=True, text=True).stdout
