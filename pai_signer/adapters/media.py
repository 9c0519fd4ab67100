"""Removable media as the kernel sees them (IMP-1): lsblk(8), findmnt(8), udisksctl(1).

Labels and serial numbers come from the media: they are passed on as they are,
and faces sanitise them. System disks are never listed, nor is the disk that
carries the vault.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import msgspec

from pai_signer.adapters.process import find_tool, run
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.text import safe_text
from pai_signer.errors import MediumError, ToolError
from pai_signer.ports import Medium

_TIMEOUT_S: Final = 20.0
#: Unmounting writes everything out first; a slow stick takes its time.
_UNMOUNT_TIMEOUT_S: Final = 300.0
_MAX_DEPTH: Final = 16
_MAX_IDENTITY_LENGTH: Final = 100
_OPTIONS: Final = "nosuid,nodev,noexec"
_READ_ONLY_OPTIONS: Final = f"ro,{_OPTIONS}"

_LSBLK_COLUMNS: Final = (
    "NAME,PATH,TYPE,FSTYPE,LABEL,SIZE,SERIAL,UUID,RO,RM,HOTPLUG,TRAN,MOUNTPOINTS"
)
#: Whatever disk carries one of these is the system's; /run/live is a live system's stick.
_SYSTEM_MOUNTS: Final = frozenset({"/", "/usr", "/home", "/var", "[SWAP]"})
_SYSTEM_TREES: Final = ("/boot", "/efi", "/run/live", "/lib/live")
#: Containers of filesystems: there is nothing in them to mount as they are.
_NOT_MOUNTABLE: Final = frozenset({"swap", "crypto_LUKS", "LVM2_member", "linux_raid_member"})

#: Older lsblk versions write booleans as "0" and "1", sizes as text.
_Flag = bool | int | str | None


class _Device(msgspec.Struct, frozen=True):
    """One node of ``lsblk --json``; fields that it may add are not read."""

    name: str
    path: str
    type: str
    size: int | str | None = None
    fstype: str | None = None
    label: str | None = None
    serial: str | None = None
    uuid: str | None = None
    ro: _Flag = None
    rm: _Flag = None
    hotplug: _Flag = None
    tran: str | None = None
    mountpoints: tuple[str | None, ...] = ()
    children: tuple["_Device", ...] = ()


class _LsblkReport(msgspec.Struct, frozen=True):
    blockdevices: tuple[_Device, ...]


class _Mount(msgspec.Struct, frozen=True):
    """One line of ``findmnt --json --list``."""

    target: str
    source: str | None = None
    fstype: str | None = None
    options: str | None = None
    uuid: str | None = None
    label: str | None = None

    @property
    def device(self) -> str:
        """The source without a subvolume or bind mount's ``[/path]``."""
        return (self.source or "").partition("[")[0]

    @property
    def is_read_only(self) -> bool:
        return "ro" in (self.options or "").split(",")


class _FindmntReport(msgspec.Struct, frozen=True):
    filesystems: tuple[_Mount, ...]


_Report = TypeVar("_Report", _LsblkReport, _FindmntReport)


@dataclass(frozen=True)
class SystemMedia:
    """Finds, mounts and unmounts removable media (``ports.Media``).

    ``vault``: the disk that it lies on is hidden. ``include_loop`` shows loop devices
    too: for tests and rehearsals, whose media are images.
    """

    vault: Path | None = None
    include_loop: bool = False

    def list(self) -> tuple[Medium, ...]:
        """Every removable filesystem, by device; system disks are hidden."""
        mounts = _mounts()
        protected = _mount_of(mounts, self.vault) if self.vault else None
        devices = _decode(
            run("lsblk", ["--json", "-b", "-o", _LSBLK_COLUMNS], timeout_s=_TIMEOUT_S).stdout,
            _LsblkReport,
            "lsblk",
        ).blockdevices
        found = [
            medium
            for disk in devices
            if not _is_system(disk, protected)
            for medium in self._media_on(disk, mounts)
        ]
        return tuple(sorted(found, key=lambda medium: medium.device))

    def mount(self, medium: Medium, *, read_only: bool = False) -> Medium:
        """Mount it and return it with ``mounted_at``; already mounted is fine, and stays so.

        ``read_only``: a backup is proved without being touched (CUS-2). Raises
        ``MediumError`` if it is gone, does not mount or is mounted otherwise than asked,
        ``ToolError`` where there is no udisksctl: then the operator has to mount it.
        """
        options = _READ_ONLY_OPTIONS if read_only else _OPTIONS
        now = self._find(medium)
        if now.mounted_at is not None:
            return now
        try:
            find_tool("udisksctl")
        except ToolError as error:
            raise ToolError(
                "IMP-1/not-mounted",
                f"{safe_text(now.device)} is not mounted, and udisksctl is not installed.",
                f"Mount it yourself: sudo mount -o {options} {safe_text(now.device)} "
                "/mnt, then rescan.",
            ) from error
        # udisks mounts nosuid and nodev by itself, and takes these four from anybody
        # ("allow" in its builtin mount_options.conf).
        choice = ["--options", options] if read_only else []
        done = run(
            "udisksctl",
            ["mount", "--no-user-interaction", *choice, "--block-device", now.device],
            timeout_s=_TIMEOUT_S,
            accepted_codes=None,
        )
        now = self._find(medium)
        if now.mounted_at is None:
            raise MediumError(
                "IMP-1/not-mounted",
                f"{safe_text(now.device)} could not be mounted: {done.shown_stderr()}",
                "Try another port or medium; its filesystem may be damaged or unknown here.",
            )
        if read_only and not now.read_only:
            raise MediumError(
                "CUS-2/not-read-only",
                f"{safe_text(now.device)} was to be mounted read-only, and can be written to.",
                "Unmount it and mount it yourself: sudo mount -o "
                f"{options} {safe_text(now.device)} /mnt, then rescan.",
            )
        return now

    def identify(self, directory: Path) -> MediumIdentity:
        """The removable medium that ``directory`` is on (CUS-3); all empty if on none."""
        # Without udev lsblk knows no UUIDs; findmnt asks the device itself, where it may.
        mount = _mount_of(_mounts("UUID", "LABEL"), directory)
        for medium in self.list():
            if mount is not None and medium.device == mount.device:
                return MediumIdentity(
                    uuid=_ascii(medium.uuid or mount.uuid or ""),
                    serial=_ascii(medium.serial),
                    label=_ascii(medium.label or mount.label or ""),
                )
        return MediumIdentity()

    def unmount(self, directory: Path) -> bool:
        """Unmount the removable medium that ``directory`` is on; False if it is on none.

        Raises ``MediumError`` if it stays mounted: then it is not safe to remove.
        """
        mount = _mount_of(_mounts(), directory)
        if mount is None or mount.device not in {medium.device for medium in self.list()}:
            return False
        complaint = ""
        for tool, arguments in (
            ("udisksctl", ["unmount", "--no-user-interaction", "--block-device", mount.device]),
            ("umount", ["--", mount.target]),
        ):
            try:
                done = run(tool, arguments, timeout_s=_UNMOUNT_TIMEOUT_S, accepted_codes=None)
            except ToolError as error:
                complaint = complaint or error.summary
                continue
            if done.exit_code == 0:
                break
            complaint = done.shown_stderr()
        if any(m.target == mount.target and m.device == mount.device for m in _mounts()):
            raise MediumError(
                "EXP-2/still-mounted",
                f"The medium at '{safe_text(mount.target)}' could not be unmounted: {complaint}",
                "Do not pull it out yet. Close whatever uses it, then try again.",
            )
        return True

    def _find(self, medium: Medium) -> Medium:
        for found in self.list():
            if (found.device, found.uuid, found.serial) == (
                medium.device,
                medium.uuid,
                medium.serial,
            ):
                return found
        raise MediumError(
            "IMP-1/gone",
            f"{safe_text(medium.device)} is not there any more, or is another medium now.",
            "Plug it in again and rescan.",
        )

    def _media_on(self, disk: _Device, mounts: tuple[_Mount, ...]) -> Iterator[Medium]:
        is_loop = disk.type == "loop"
        removable = any(
            _flag(device.rm) or _flag(device.hotplug) or device.tran == "usb"
            for device in _tree(disk)
        )
        if not (self.include_loop if is_loop else removable):
            return
        serial = disk.serial or ""
        for device in _tree(disk):
            mount = next((m for m in mounts if m.device == device.path), None)
            filesystem = (mount.fstype if mount and not device.fstype else device.fstype) or ""
            size_bytes = _size(device)
            if not filesystem or filesystem in _NOT_MOUNTABLE or size_bytes == 0:
                continue
            yield Medium(
                device=device.path,
                label=device.label or "",
                filesystem=filesystem,
                size_bytes=size_bytes,
                serial=serial,
                uuid=device.uuid or "",
                read_only=_flag(device.ro) or (mount is not None and mount.is_read_only),
                mounted_at=Path(mount.target) if mount else None,
            )


def _tree(device: _Device, depth: int = 0) -> Iterator[_Device]:
    """A device and everything that stands on it: partitions, opened LUKS, volumes."""
    yield device
    if depth < _MAX_DEPTH:
        for child in device.children:
            yield from _tree(child, depth + 1)


def _is_system(disk: _Device, protected: _Mount | None) -> bool:
    for device in _tree(disk):
        if protected is not None and device.path == protected.device:
            return True
        for point in device.mountpoints:
            if point and (
                point in _SYSTEM_MOUNTS
                or any(PurePosixPath(point).is_relative_to(tree) for tree in _SYSTEM_TREES)
            ):
                return True
    return False


def _mounts(*further: str) -> tuple[_Mount, ...]:
    """All mounted filesystems, later ones (which hide earlier ones) first."""
    columns = ("TARGET", "SOURCE", "FSTYPE", "OPTIONS", *further)
    arguments = ["--json", "--list", "-o", ",".join(columns)]
    report = _decode(
        run("findmnt", arguments, timeout_s=_TIMEOUT_S).stdout, _FindmntReport, "findmnt"
    )
    return report.filesystems[::-1]


def _mount_of(mounts: tuple[_Mount, ...], path: Path) -> _Mount | None:
    """The mount that ``path`` is on: the longest target that contains it."""
    try:
        real = path.resolve()
    except OSError:  # the medium is gone, or the path runs in circles
        real = path.absolute()
    holding = [mount for mount in mounts if real.is_relative_to(mount.target)]
    return max(holding, key=lambda mount: len(mount.target), default=None)


def _decode(data: bytes, kind: type[_Report], tool: str) -> _Report:
    try:
        # A label may hold any bytes; what is no UTF-8 must not hide the other media.
        text = data.decode("utf-8", "replace")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ToolError(
            "IMP-1/unreadable",
            f"The report of {tool} could not be understood: {safe_text(str(error))}",
            "Give the folder's path instead of picking a medium.",
        ) from error


def _ascii(value: str) -> str:
    """Text of a medium as records and challenges hold it: visible ASCII, and not too much."""
    shown = safe_text(value, limit=_MAX_IDENTITY_LENGTH)
    return shown.encode("ascii", "backslashreplace").decode("ascii")


def _flag(value: _Flag) -> bool:
    return value in (True, 1, "1")


def _size(device: _Device) -> int:
    try:
        return int(device.size or 0)
    except ValueError:
        return 0
