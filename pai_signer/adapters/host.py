"""Facts about the laptop, read afresh from the kernel (POL-9, SEC-2).

A fact that cannot be read is None, never a comfortable default. Formats:
proc(5), ``Documentation/admin-guide/cgroup-v2.rst`` and
``cgroup-v1/memory.rst`` of the kernel, and crypt_uuid of cryptsetup.
"""

import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from pai_signer.adapters.hardening import open_doors
from pai_signer.adapters.network import read_interfaces, read_routes, read_unblocked_radios
from pai_signer.adapters.process import find_tool, install_line, run
from pai_signer.domain.host import HostFacts, Tool
from pai_signer.domain.text import safe_text
from pai_signer.errors import ToolError

T = TypeVar("T")

#: Used where the terminal does not say (a serial line, no terminal at all).
FALLBACK_COLUMNS: Final = 80
FALLBACK_ROWS: Final = 24

# How each tool is asked for its version; None for one that would first call its daemon.
_TOOLS: Final[dict[str, str | None]] = {
    "gpg": "--version",
    "git": "--version",
    "lsblk": "--version",
    "findmnt": "--version",
    "udisksctl": None,
}
_TOOL_TIMEOUT_S: Final = 10.0
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
# Device-mapper devices that cryptsetup names so do not encrypt.
_NOT_ENCRYPTING: Final = ("CRYPT-VERITY-", "CRYPT-INTEGRITY-")


class LinuxHost:
    """``ports.Host``; ``proc`` and ``sys`` are where those filesystems are mounted."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        *,
        vault: Path | None = None,
    ) -> None:
        self._vault = vault
        self._proc = proc
        self._sys = sys
        # Versions of tools by file, size and time of change: the app asks for the facts every
        # few seconds, and starting four programs each time would be felt on a slow laptop.
        self._versions: dict[tuple[str, int, int, int], str] = {}

    def facts(self) -> HostFacts:
        """Read everything afresh."""
        columns, rows = _terminal_size()
        return HostFacts(
            interfaces=_or_none(lambda: read_interfaces(self._sys)),
            routes=_or_none(read_routes),
            radios_unblocked=_or_none(lambda: read_unblocked_radios(self._sys)),
            swap_unencrypted=_or_none(self._swap_unencrypted),
            memory_available_bytes=_or_none(self._memory_available_bytes),
            entropy_ready=_or_none(_entropy_ready),
            tools=tuple(self._tool(name, option) for name, option in _TOOLS.items()),
            terminal=safe_text(os.environ.get("TERM", ""), limit=80),
            terminal_columns=columns,
            terminal_rows=rows,
            vault_free_bytes=_or_none(self._vault_free_bytes),
            open_doors=_or_none(lambda: open_doors(self._umask())),
            memory_locked=_or_none(self._memory_locked),
            can_hibernate=_or_none(self._can_hibernate),
        )

    def _vault_free_bytes(self) -> int:
        if self._vault is None:
            raise OSError("there is no vault")
        space = os.statvfs(self._vault)
        return space.f_bavail * space.f_frsize

    # --- tools ------------------------------------------------------------------------

    def _tool(self, name: str, option: str | None) -> Tool:
        """Looked up afresh, but asked for its version only where its file is another one."""
        try:
            path = find_tool(name)
            stat = path.stat()
        except (ToolError, OSError):
            return Tool(name=name, path=None, version="", install_line=install_line(name))
        file = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns)
        version = self._versions.get(file, "")
        if option is not None and not version:
            try:
                version = self._versions[file] = _version(name, option)
            except ToolError as error:  # not kept: asked again the next time
                version = error.summary
        return Tool(name=name, path=str(path), version=version, install_line=install_line(name))

    # --- swap -------------------------------------------------------------------------

    def _swap_unencrypted(self) -> tuple[str, ...]:
        """Swap areas that would keep a passphrase in the clear after power-off."""
        lines = (self._proc / "swaps").read_bytes().splitlines()[1:]
        areas = [_unescaped(line.split()[0]) for line in lines]
        return tuple(safe_text(area) for area in areas if not self._is_harmless_swap(area))

    def _is_harmless_swap(self, area: str) -> bool:
        name = Path(os.path.realpath(area)).name
        if re.fullmatch(r"zram\d+", name):
            # zram is memory, unless a real disk was given to it to write back to.
            backing = self._sys / "block" / name / "backing_dev"
            return not backing.exists() or backing.read_text().strip() == "none"
        if not (self._sys / "class" / "block" / name).exists():
            name = self._device_below(area)
        return self._is_encrypted(name)

    def _device_below(self, file: str) -> str:
        """The block device of the filesystem that a swap file is on."""
        number = Path(file).stat().st_dev
        link = self._sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"
        return Path(os.path.realpath(link)).name

    def _is_encrypted(self, name: str) -> bool:
        """Whether a block device is dm-crypt, or lies wholly on devices that are (LVM on LUKS)."""
        device = self._sys / "class" / "block" / name
        uuid_file = device / "dm" / "uuid"
        uuid = uuid_file.read_text().strip() if uuid_file.exists() else ""
        if uuid.startswith("CRYPT-") and not uuid.startswith(_NOT_ENCRYPTING):
            return True
        slaves = device / "slaves"
        below = [slave.name for slave in slaves.iterdir()] if slaves.exists() else []
        return bool(below) and all(self._is_encrypted(slave) for slave in below)

    def _can_hibernate(self) -> bool:
        """``/sys/power/state`` offers "disk", unless a lockdown or ``nohibernate`` forbids it."""
        power = self._sys / "power"
        if not (power / "state").exists():  # built without power management
            return False
        mode = power / "disk"
        disabled = not mode.exists() or mode.read_text().strip() == "[disabled]"
        return "disk" in (power / "state").read_text().split() and not disabled

    # --- the process itself -------------------------------------------------------------

    def _status(self, name: str) -> str | None:
        status = (self._proc / "self" / "status").read_text()
        match = re.search(rf"^{name}:\s+(\w+)", status, re.MULTILINE)
        return match[1] if match else None

    def _umask(self) -> int | None:
        umask = self._status("Umask")
        return None if umask is None else int(umask, 8)

    def _memory_locked(self) -> bool:
        """No less is locked than is in memory (``VmLck``, ``VmRSS`` of proc(5))."""
        locked, resident = self._status("VmLck"), self._status("VmRSS")
        if locked is None or resident is None:
            raise OSError("no VmLck in status")
        return int(locked) >= int(resident)

    # --- memory -----------------------------------------------------------------------

    def _memory_available_bytes(self) -> int:
        """``MemAvailable``, or what the control group leaves if that is less."""
        meminfo = (self._proc / "meminfo").read_text()
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
        if match is None:
            raise OSError("no MemAvailable in meminfo")
        return min([int(match[1]) << 10, *self._left_by_control_groups()])

    def _left_by_control_groups(self) -> Iterator[int]:
        for line in (self._proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = self._sys / "fs" / "cgroup"
            if controllers == "":
                names = ("memory.max", "memory.current", "active_file", "inactive_file")
            elif "memory" in controllers.split(","):
                root /= "memory"
                names = (
                    "memory.limit_in_bytes",
                    "memory.usage_in_bytes",
                    "total_active_file",
                    "total_inactive_file",
                )
            else:
                continue
            # A limit on any level above holds as well.
            group = root / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(root) and (folder / names[0]).exists():
                    yield from _left_by(folder, *names)


def _left_by(folder: Path, limit: str, usage: str, *caches: str) -> Iterator[int]:
    maximum = (folder / limit).read_text().strip()
    if not maximum.isdigit():  # "max": no limit
        return
    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    # File cache is counted as usage, but the kernel gives it up first.
    reclaimable = sum(int(stat.get(name, 0)) for name in caches)
    used = max(0, int((folder / usage).read_text()) - reclaimable)
    yield max(0, int(maximum) - used)


def _entropy_ready() -> bool:
    # Once seeded, the kernel's generator does not run dry: that is the whole question.
    try:
        return len(os.getrandom(1, os.GRND_NONBLOCK)) == 1
    except BlockingIOError:
        return False


def _version(name: str, option: str) -> str:
    shown = run(name, [option], timeout_s=_TOOL_TIMEOUT_S, limit_bytes=1 << 16)
    return safe_text(shown.stdout.decode("utf-8", "replace").partition("\n")[0])


def _terminal_size() -> tuple[int, int]:
    for descriptor in (1, 2, 0):
        try:
            size = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if size.columns > 0 and size.lines > 0:
            return size.columns, size.lines
    return FALLBACK_COLUMNS, FALLBACK_ROWS


def _unescaped(field: bytes) -> str:
    r"""A path of /proc/swaps, where blanks stand as ``\040`` (proc(5))."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8) & 255]), field))


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, struct.error):
        return None
