"""Debian's packaged kernel, unpacked and not installed, and the RAM disk that it starts from.

Both are kept in the user's cache between runs.
"""

import functools
import gzip
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pai_signer.adapters.binding import BIND_NOW

PACKAGE: Final = "linux-image-amd64"
MODULES: Final = (
    *("virtio_pci", "9pnet_virtio", "9p", "xhci_pci", "usb_storage", "sd_mod"),
    *("nls_cp437", "nls_ascii", "nls_utf8", "vfat", "exfat", "crc32c_generic", "ext4"),
    *("dm_mod", "dm_flakey", "dm_zero"),
)
#: Where the guest sees what the test hands over, read-only.
JOB: Final = "/mnt/job"
#: And this checkout, which may lie where the guest has a tmpfs.
PROJECT: Final = "/mnt/project"
#: Where the guest mounts the stick.
MOUNT_POINT: Final = Path("/mnt/stick")
#: What ``tests.vm.guest`` says when it waits for requests.
STARTED: Final = "GUEST STARTED"

_INIT: Final = f"""#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /host
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
nine=trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro
mount -t 9p -o $nine root /host || echo GUEST HAS NO ROOT
for folder in tmp run mnt var/tmp; do mount -t tmpfs tmpfs /host/$folder; done
for share in job project; do
    mkdir /host/mnt/$share
    mount -t 9p -o $nine $share /host/mnt/$share
done
mount --bind /dev /host/dev; mount -t proc proc /host/proc; mount -t sysfs sys /host/sys
mkdir /host/dev/shm; mount -t tmpfs tmpfs /host/dev/shm
mkdir /host/dev/pts; mount -t devpts pts /host/dev/pts
mkdir /host{MOUNT_POINT}
export HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 {BIND_NOW}=1
chroot /host /bin/sh -c "cd {PROJECT}; exec $PYTHON -m tests.vm.guest" </dev/console 2>&1
echo GUEST ENDED $?
/bin/busybox poweroff -f
"""


def cache() -> Path:
    """Where the unpacked kernel and the RAM disk are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "pai-signer-vm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def unpacked() -> Path:
    """A folder with ``boot/vmlinuz-*`` and ``lib/modules``."""
    depends = _run("apt-cache", "depends", PACKAGE)
    package = next(
        line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line
    )
    kept = cache() / package
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            _run("apt-get", "download", package, cwd=Path(scratch))
            (deb,) = Path(scratch).glob("*.deb")
            _run("dpkg-deb", "-x", str(deb), f"{scratch}/unpacked")
            Path(scratch, "unpacked").rename(kept)
    return kept


def image() -> Path:
    """The kernel itself."""
    return next((unpacked() / "boot").glob("vmlinuz-*"))


def module_files(names: tuple[str, ...]) -> list[Path]:
    """The modules and what they need, in the order in which they load."""
    found = {
        path.stem.replace("-", "_"): path for path in (unpacked() / "lib/modules").rglob("*.ko")
    }
    ordered: list[Path] = []

    def add(name: str) -> None:
        path = found[name]
        # .modinfo holds NUL-ended "depends=a,b": linux, scripts/mod/modpost.c
        needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for needed in needs[1].decode().split(",") if needs and needs[1] else ():
            add(needed.replace("-", "_"))
        if path not in ordered:
            ordered.append(path)

    for name in names:
        add(name)
    return ordered


@functools.cache
def ram_disk() -> Path:
    """The initial RAM disk: busybox, the modules, and the start script (cpio, newc)."""
    path = cache() / "initrd.gz"
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        top = Path(scratch, "top")
        (top / "bin").mkdir(parents=True)
        (top / "modules").mkdir()
        shutil.copy("/bin/busybox", top / "bin/busybox")
        (top / "bin/sh").symlink_to("busybox")
        modules = module_files(MODULES)
        for module in modules:
            shutil.copy(module, top / "modules")
        (top / "modules/order").write_text("\n".join(module.name for module in modules))
        (top / "init").write_text(_INIT)
        (top / "init").chmod(0o755)
        names = "\0".join(str(p.relative_to(top)) for p in sorted(top.rglob("*")))
        packed = subprocess.run(
            ["cpio", "--null", "--create", "--format=newc", "--quiet"],
            cwd=top,
            input=names.encode(),
            capture_output=True,
            check=True,
        ).stdout
        made = Path(scratch, "initrd.gz")
        made.write_bytes(gzip.compress(packed, 1))
        made.replace(path)
    return path


def missing_tools(*others: str) -> list[str]:
    """What is needed for this, and ``others``, and is not installed."""
    needed = ("busybox", "cpio", "apt-get", "dpkg-deb", *others)
    return [tool for tool in needed if shutil.which(tool) is None]


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
