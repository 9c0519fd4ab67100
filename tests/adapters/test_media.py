"""Which media are shown, from reports as lsblk and findmnt write them (IMP-1)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import media as media_module
from pai_signer.adapters.media import SystemMedia
from pai_signer.adapters.process import Finished
from pai_signer.domain.custody import MediumIdentity
from pai_signer.errors import MediumError, ToolError
from pai_signer.ports import Medium

Device = dict[str, Any]


def device(path: str, kind: str = "part", **fields: Any) -> Device:
    """One node as lsblk 2.38 writes it."""
    blank: Device = {
        "name": path.rpartition("/")[2],
        "path": path,
        "type": kind,
        "fstype": None,
        "label": None,
        "size": 1 << 30,
        "serial": None,
        "uuid": None,
        "ro": False,
        "rm": False,
        "hotplug": False,
        "tran": None,
        "mountpoints": [None],
    }
    return blank | fields


def stick(*partitions: Device, **fields: Any) -> Device:
    usb = {"hotplug": True, "tran": "usb", "serial": "S1"} | fields
    return device("/dev/sdb", "disk", children=list(partitions), **usb)


DATA = device("/dev/sdb1", fstype="exfat", label="RELEASE", uuid="AB-CD", hotplug=True)
SYSTEM = device(
    "/dev/nvme0n1",
    "disk",
    children=[
        device("/dev/nvme0n1p1", fstype="vfat", mountpoints=["/boot/efi"]),
        device(
            "/dev/nvme0n1p2",
            fstype="crypto_LUKS",
            children=[device("/dev/mapper/root", "crypt", fstype="ext4", mountpoints=["/"])],
        ),
    ],
)
ROOT_MOUNT = {"target": "/", "source": "/dev/mapper/root", "fstype": "ext4", "options": "rw"}


class Machine:
    """Answers for lsblk, findmnt, udisksctl and umount."""

    def __init__(self) -> None:
        self.devices: list[Device] = [SYSTEM]
        self.mounts: list[Device] = [ROOT_MOUNT]
        self.tools = {"lsblk", "findmnt", "udisksctl", "umount"}
        self.calls: list[tuple[str, ...]] = []
        self.obeys = True
        self.heeds_options = True

    def mount(self, path: str, target: str, options: str = "rw,nosuid") -> None:
        self.mounts.append(
            {"target": target, "source": path, "fstype": "exfat", "options": options}
        )

    def run(self, tool: str, arguments: Sequence[str], **how: Any) -> Finished:
        if tool not in self.tools:
            raise ToolError("SEC-2/tool-missing", f"{tool} is not installed.", "Install it.")
        if tool == "lsblk":
            return self._says(json.dumps({"blockdevices": self.devices}))
        if tool == "findmnt":
            return self._says(json.dumps({"filesystems": self.mounts}))
        self.calls.append((tool, *arguments))
        if not self.obeys:
            return Finished(1, b"", b"target is \x1b[2Jbusy\n", b"")
        if arguments[0] == "mount":
            asked = "--options" in arguments and self.heeds_options
            options = arguments[arguments.index("--options") + 1] if asked else "rw,nosuid"
            self.mount(arguments[-1], "/media/me/RELEASE", options)
        else:
            self.mounts = [ROOT_MOUNT]
        return self._says("")

    def find_tool(self, tool: str) -> Path:
        if tool not in self.tools:
            raise ToolError("SEC-2/tool-missing", f"{tool} is not installed.", "Install it.")
        return Path("/usr/bin") / tool

    @staticmethod
    def _says(text: str) -> Finished:
        return Finished(0, text.encode(), b"", b"")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(media_module, "run", made.run)
    monkeypatch.setattr(media_module, "find_tool", made.find_tool)
    return made


def shown(**how: Any) -> list[str]:
    return [medium.device for medium in SystemMedia(**how).list()]


def test_a_stick_is_shown_with_what_the_kernel_knows(machine: Machine) -> None:
    machine.devices.append(stick(DATA))
    assert SystemMedia().list() == (
        Medium(
            device="/dev/sdb1",
            label="RELEASE",
            filesystem="exfat",
            size_bytes=1 << 30,
            serial="S1",
            uuid="AB-CD",
            read_only=False,
            mounted_at=None,
        ),
    )


def test_nothing_plugged_in_is_an_empty_list(machine: Machine) -> None:
    assert shown() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tran": "usb", "hotplug": False},
        {"tran": None, "hotplug": "1"},
        {"tran": None, "hotplug": False, "rm": True},
        {"tran": None, "hotplug": False, "rm": "1"},
    ],
)
def test_removable_is_said_in_several_ways(machine: Machine, fields: Device) -> None:
    machine.devices.append(stick(DATA | {"hotplug": False}, **fields))
    assert shown() == ["/dev/sdb1"]


@pytest.mark.parametrize("no", [False, None, 0, "0"])
def test_a_fixed_disk_is_hidden(machine: Machine, no: object) -> None:
    machine.devices.append(stick(DATA | {"hotplug": no}, tran="sata", hotplug=no, rm=no))
    assert shown() == []


@pytest.mark.parametrize(
    "point",
    ["/", "/boot", "/boot/efi", "/usr", "/home", "/var", "[SWAP]", "/run/live/medium"],
)
def test_every_partition_of_a_system_disk_is_hidden(machine: Machine, point: str) -> None:
    system = device("/dev/sdb2", fstype="ext4", mountpoints=[None, point])
    machine.devices.append(stick(DATA, system))
    assert shown() == []


def test_a_system_inside_an_opened_container_hides_its_disk(machine: Machine) -> None:
    inner = device("/dev/mapper/x", "crypt", fstype="ext4", mountpoints=["/home"])
    machine.devices.append(stick(DATA, device("/dev/sdb2", fstype="crypto_LUKS", children=[inner])))
    assert shown() == []


def test_the_disk_of_the_vault_is_hidden(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA))
    machine.mount("/dev/sdb1", str(tmp_path))
    assert shown() == ["/dev/sdb1"]
    assert shown(vault=tmp_path / "vault") == []


def test_loop_devices_are_shown_only_on_request(machine: Machine) -> None:
    machine.devices.append(device("/dev/loop0", "loop", fstype="ext4"))
    assert shown() == []
    assert shown(include_loop=True) == ["/dev/loop0"]


@pytest.mark.parametrize("fstype", [None, "", "swap", "crypto_LUKS", "LVM2_member"])
def test_what_cannot_be_mounted_is_not_shown(machine: Machine, fstype: str | None) -> None:
    machine.devices.append(stick(DATA | {"fstype": fstype}))
    assert shown() == []


def test_an_empty_card_reader_is_not_shown(machine: Machine) -> None:
    machine.devices.append(stick(DATA | {"size": 0}))
    assert shown() == []


@pytest.mark.parametrize(("ro", "options"), [(True, "rw"), (False, "nosuid,ro"), ("1", "rw")])
def test_read_only_is_the_device_or_the_mount(machine: Machine, ro: object, options: str) -> None:
    machine.devices.append(stick(DATA | {"ro": ro}))
    machine.mount("/dev/sdb1", "/media/x", options)
    (found,) = SystemMedia().list()
    assert found.read_only
    assert found.mounted_at == Path("/media/x")


def test_a_filesystem_through_fuse_is_known_from_its_mount(machine: Machine) -> None:
    # Without udev lsblk knows no filesystem types; findmnt knows those that are mounted.
    machine.devices.append(stick(DATA | {"fstype": None, "size": "1024"}))
    machine.mount("/dev/sdb1[/sub]", "/media/x")
    (found,) = SystemMedia().list()
    assert (found.filesystem, found.size_bytes) == ("exfat", 1024)


@pytest.mark.parametrize(
    "report",
    [b"", b"{}", b'{"blockdevices": [{"name": 1}]}', b"\xff", b'{"blockdevices":' + b"[" * 9999],
    ids=["empty", "no list", "a number", "no text", "endless depth"],
)
def test_a_report_that_makes_no_sense_is_not_an_empty_list(
    monkeypatch: pytest.MonkeyPatch, report: bytes
) -> None:
    monkeypatch.setattr(media_module, "run", lambda *a, **k: Finished(0, report, b"", b""))
    with pytest.raises(ToolError) as caught:
        SystemMedia().list()
    assert caught.value.code == "IMP-1/unreadable"


def test_a_label_of_odd_bytes_hides_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.devices.append(stick(DATA | {"label": "ODD"}))

    def odd(tool: str, arguments: Sequence[str], **how: Any) -> Finished:
        done = machine.run(tool, arguments, **how)
        return Finished(0, done.stdout.replace(b"ODD", b"\xff\xfe"), b"", b"")

    monkeypatch.setattr(media_module, "run", odd)
    assert [medium.device for medium in SystemMedia().list()] == ["/dev/sdb1"]


# --- mounting -----------------------------------------------------------------------------


def only(machine: Machine) -> Medium:
    machine.devices.append(stick(DATA))
    return SystemMedia().list()[0]


def test_mounting_asks_udisks(machine: Machine) -> None:
    mounted = SystemMedia().mount(only(machine))
    assert mounted.mounted_at == Path("/media/me/RELEASE")
    assert machine.calls[0][:2] == ("udisksctl", "mount")


def test_without_udisks_the_operator_is_told_what_to_do(machine: Machine) -> None:
    machine.tools.discard("udisksctl")
    with pytest.raises(ToolError) as caught:
        SystemMedia().mount(only(machine))
    assert caught.value.code == "IMP-1/not-mounted"
    assert "sudo mount -o nosuid,nodev,noexec /dev/sdb1" in caught.value.hint


def test_a_mount_that_fails_says_why(machine: Machine) -> None:
    machine.obeys = False
    with pytest.raises(MediumError) as caught:
        SystemMedia().mount(only(machine))
    assert caught.value.code == "IMP-1/not-mounted"
    assert "target is \\x1b[2Jbusy" in caught.value.summary


@pytest.mark.parametrize("change", [{"uuid": "OTHER"}, {"path": "/dev/sdb9"}])
def test_another_medium_in_its_place_is_not_mounted(machine: Machine, change: Device) -> None:
    medium = only(machine)
    machine.devices[-1] = stick(DATA | change)
    with pytest.raises(MediumError) as caught:
        SystemMedia().mount(medium)
    assert caught.value.code == "IMP-1/gone"
    assert machine.calls == []


@pytest.mark.parametrize("tools", [{"udisksctl", "umount"}, {"umount"}])
def test_unmounting_uses_what_is_there(machine: Machine, tmp_path: Path, tools: set[str]) -> None:
    machine.tools = {"lsblk", "findmnt"} | tools
    machine.devices.append(stick(DATA))
    machine.mount("/dev/sdb1", str(tmp_path))
    assert SystemMedia().unmount(tmp_path / "pai-0.2.0") is True
    assert [call[0] for call in machine.calls] == [min(tools)]


def test_a_folder_on_no_removable_medium_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA))
    assert SystemMedia().unmount(tmp_path) is False
    assert machine.calls == []


def test_what_stays_mounted_is_not_safe_to_remove(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA))
    machine.mount("/dev/sdb1", str(tmp_path))
    machine.obeys = False
    with pytest.raises(MediumError) as caught:
        SystemMedia().unmount(tmp_path)
    assert caught.value.code == "EXP-2/still-mounted"
    assert [call[0] for call in machine.calls] == ["udisksctl", "umount"]
    assert "Do not pull it out" in caught.value.hint


def test_the_real_tools_are_understood() -> None:
    assert all(medium.device.startswith("/dev/") for medium in SystemMedia().list())


# --- media of backups (CUS-2, CUS-3) --------------------------------------------------------


def test_a_backup_is_mounted_read_only(machine: Machine) -> None:
    mounted = SystemMedia().mount(only(machine), read_only=True)
    assert mounted.read_only
    options = machine.calls[0][machine.calls[0].index("--options") + 1]
    assert set(options.split(",")) == {"ro", "nosuid", "nodev", "noexec"}


def test_a_backup_that_was_mounted_for_writing_all_the_same_is_told(machine: Machine) -> None:
    machine.heeds_options = False
    with pytest.raises(MediumError) as caught:
        SystemMedia().mount(only(machine), read_only=True)
    assert caught.value.code == "CUS-2/not-read-only"
    assert "sudo mount -o ro,nosuid,nodev,noexec /dev/sdb1" in caught.value.hint


def test_a_backup_that_is_mounted_already_stays_as_it_is(machine: Machine) -> None:
    medium = only(machine)
    machine.mount("/dev/sdb1", "/media/x")
    mounted = SystemMedia().mount(medium, read_only=True)
    assert mounted.mounted_at == Path("/media/x")
    assert not mounted.read_only
    assert machine.calls == []


def test_without_udisks_the_operator_is_told_to_mount_it_read_only(machine: Machine) -> None:
    machine.tools.discard("udisksctl")
    with pytest.raises(ToolError) as caught:
        SystemMedia().mount(only(machine), read_only=True)
    assert "sudo mount -o ro,nosuid,nodev,noexec /dev/sdb1" in caught.value.hint


def test_a_folder_on_a_medium_is_known_by_it(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA))
    machine.mount("/dev/sdb1", str(tmp_path))
    known = MediumIdentity(uuid="AB-CD", serial="S1", label="RELEASE")
    assert SystemMedia().identify(tmp_path) == known
    assert SystemMedia().identify(tmp_path / "pai-backup-000001-a") == known
    assert known.is_known


def test_a_folder_on_no_removable_medium_has_no_identity(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA))
    assert SystemMedia().identify(tmp_path) == MediumIdentity()
    assert not MediumIdentity().is_known
    # ... nor has one on the disk that carries the vault, or on a fixed disk.
    machine.mount("/dev/sdb1", str(tmp_path))
    assert not SystemMedia(vault=tmp_path / "vault").identify(tmp_path).is_known
    machine.devices[-1] = stick(DATA | {"hotplug": False}, tran="sata", hotplug=False)
    assert not SystemMedia().identify(tmp_path).is_known


def test_a_medium_without_a_uuid_is_not_known(machine: Machine, tmp_path: Path) -> None:
    machine.devices.append(stick(DATA | {"uuid": None}))
    machine.mount("/dev/sdb1", str(tmp_path))
    assert not SystemMedia().identify(tmp_path).is_known


def test_an_identity_is_visible_ascii(machine: Machine, tmp_path: Path) -> None:
    odd = {"label": "caf\u00e9\u202e", "uuid": "AB\n" + "x" * 500}
    machine.devices.append(stick(DATA | odd, serial="S\x1b[2J"))
    machine.mount("/dev/sdb1", str(tmp_path))
    identity = SystemMedia().identify(tmp_path)
    assert identity.label == "caf\\xe9\\u202e"
    assert identity.serial == "S\\x1b[2J"
    assert identity.uuid.startswith("AB\\x0axxx")
    assert len(identity.uuid) < 120
