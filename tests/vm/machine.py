"""A real kernel with real USB sticks: QEMU without KVM, the host's root inside, read-only.

Debian's packaged kernel boots with a small initial RAM disk that loads the modules,
mounts the host's root over 9p (so that the same Python and the same program run
inside), puts tmpfs where something is written, and runs one shell script. The
console is the protocol: the test reads lines, and acts on them.

Sources: qemu(1); linux, Documentation/admin-guide/device-mapper/dm-flakey.rst and
Documentation/filesystems/9p.rst.
"""

import contextlib
import functools
import gzip
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

KERNEL_PACKAGE: Final = "linux-image-amd64"
MODULES: Final = (
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "xhci_pci",
    "usb_storage",
    "sd_mod",
    "nls_cp437",
    "nls_ascii",
    "nls_utf8",
    "vfat",
    "exfat",
    "dm_mod",
    "dm_flakey",
)
#: Where the guest sees what the test hands over, read-only.
JOB: Final = "/mnt/job"
#: And this checkout, which may lie where the guest has a tmpfs.
PROJECT: Final = "/mnt/project"
_TOP: Final = Path(__file__).parent.parent.parent
#: What a guest that booted prints before its script starts.
STARTED: Final = "GUEST STARTED"
_EXIT: Final = re.compile(r"GUEST EXIT (\d+)")
_BOOT_S: Final = 120.0


def cache() -> Path:
    """Where the unpacked kernel and the RAM disk are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "pai-signer-vm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def kernel() -> Path:
    """A folder with ``boot/vmlinuz-*`` and ``lib/modules``: Debian's, unpacked, not installed."""
    depends = _run("apt-cache", "depends", KERNEL_PACKAGE)
    package = next(
        line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line
    )
    unpacked = cache() / package
    if not unpacked.exists():
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            _run("apt-get", "download", package, cwd=Path(scratch))
            (deb,) = Path(scratch).glob("*.deb")
            _run("dpkg-deb", "-x", str(deb), f"{scratch}/unpacked")
            Path(scratch, "unpacked").rename(unpacked)
    return unpacked


def module_files(names: tuple[str, ...]) -> list[Path]:
    """The modules and what they need, in the order in which they load."""
    found = {path.stem.replace("-", "_"): path for path in (kernel() / "lib/modules").rglob("*.ko")}
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
mkdir /host/mnt/stick
# usb-storage waits a second before it looks at a stick
for try in $(seq 100); do [ -b /dev/sda ] && break; sleep 0.1; done
echo {STARTED}
chroot /host /bin/bash {JOB}/script </dev/null 2>&1
echo GUEST EXIT $?
poweroff -f
"""


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


def new_stick(path: Path, *, size_mib: int = 64) -> Path:
    """The image of an empty FAT32 stick."""
    with path.open("wb") as file:
        file.truncate(size_mib << 20)
    _run("mkfs.vfat", "-F", "32", "-n", "PAI_STICK", str(path))
    return path


@dataclass
class Machine:
    """A running guest, its console and its monitor."""

    process: subprocess.Popen[bytes]
    monitor: Path
    lines: list[str] = field(default_factory=list)
    _waiting: "SimpleQueue[str | None]" = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._waiting.put(line.decode(errors="replace").rstrip())
        self._waiting.put(None)

    def wait_for(self, text: str, timeout_s: float = 120) -> str:
        """The first new line that holds ``text``."""
        ends_at = time.monotonic() + timeout_s
        while True:
            try:
                line = self._waiting.get(timeout=max(0.01, ends_at - time.monotonic()))
            except Empty:
                line = None
            if line is None:
                raise AssertionError(f"no {text!r} on the console:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if text in line:
                return line

    def exit_code(self, timeout_s: float = 180) -> int:
        """How the script ended."""
        match = _EXIT.search(self.wait_for("GUEST EXIT", timeout_s))
        assert match is not None
        return int(match[1])

    @property
    def said(self) -> str:
        """Everything on the console so far."""
        return "\n".join(self.lines)

    def cut_power(self) -> None:
        """SIGKILL: what the guest had not yet sent to the stick is lost."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pull(self, device: str = "u1") -> None:
        """Pull a stick out."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.monitor))
            connection.sendall(f"device_del {device}\n".encode())
            time.sleep(0.2)


@contextlib.contextmanager
def boot(
    script: str, stick: Path, job: Path, *, read_only: bool = False, devices: Sequence[str] = ()
) -> Iterator[Machine]:
    """Boot with ``stick`` plugged in and run ``script`` (bash); ``job`` appears at ``JOB``."""
    (job / "script").write_text(f"set -eu\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\n{script}")
    kernel_image = next((kernel() / "boot").glob("vmlinuz-*"))
    with tempfile.TemporaryDirectory(prefix="pai-vm-") as scratch:
        monitor = Path(scratch, "monitor")
        shared = "security_model=none,readonly=on,multidevs=remap"
        drive = f"if=none,id=d1,format=raw,file={stick},readonly={'on' if read_only else 'off'}"
        command = [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-m", "1024", "-smp", "2", "-display", "none", "-no-reboot", "-nodefaults"),
            *("-kernel", str(kernel_image), "-initrd", str(ram_disk())),
            *("-append", "console=ttyS0 quiet panic=-1 rdinit=/init"),
            *("-serial", "stdio", "-monitor", f"unix:{monitor},server,nowait"),
            *("-virtfs", f"local,path=/,mount_tag=root,id=root,{shared}"),
            *("-virtfs", f"local,path={job},mount_tag=job,id=job,{shared}"),
            *("-virtfs", f"local,path={_TOP},mount_tag=project,id=project,{shared}"),
            *("-device", "qemu-xhci,id=xhci", "-drive", drive),
            *("-device", "usb-storage,id=u1,drive=d1,bus=xhci.0,removable=on"),
            *(word for device in devices for word in ("-device", device)),
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        machine = Machine(process, monitor)
        try:
            machine.wait_for(STARTED, _BOOT_S)
            yield machine
        finally:
            process.kill()
            process.wait()


def python(*arguments: str) -> str:
    """The same interpreter with the project's packages, as a command of the guest's script."""
    interpreter = sys.executable
    if Path(interpreter).is_relative_to(_TOP):
        interpreter = f"{PROJECT}/{Path(interpreter).relative_to(_TOP)}"
    words = ["env", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp", interpreter, *arguments]
    return f"cd {PROJECT}; {shlex.join(words)}"


def on_stick(image: Path) -> dict[str, bytes]:
    """Every file of the stick, as mtools(1) finds it without any kernel."""
    with tempfile.TemporaryDirectory() as folder:
        copied = subprocess.run(
            ["mcopy", "-s", "-n", "-i", str(image), "::/", folder],
            check=False,
            capture_output=True,
            text=True,
        )
        assert copied.returncode == 0, copied.stderr
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def why_no_machine() -> str:
    """Why the machine cannot run here; empty if it can."""
    needed = ("qemu-system-x86_64", "busybox", "cpio", "mcopy", "mkfs.vfat", "apt-get", "dpkg-deb")
    missing = [tool for tool in needed if shutil.which(tool) is None]
    return f"missing tools: {' '.join(missing)} (packages/vm-test.txt)" if missing else ""


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
