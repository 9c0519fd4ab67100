"""Each state of the air gap told right: netlink in a namespace, radios on a real tree (POL-9)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters.network import read_unblocked_radios
from tests.adapters.test_host import needs_namespaces

#: What is done in the namespace, one state after another, and what is then said of it.
STATES: Final = {
    "none but loopback, which is down": ((), []),
    "loopback up": (("link set lo up",), []),
    "an interface that is down": (
        ("link add gap0 type veth peer gap1 netns OUTER", "link set gap0 addrgenmode none"),
        [],
    ),
    "up without a route": (("link set gap0 up",), ["network interface up: gap0"]),
    "a route of IPv4": (
        ("addr add 10.9.8.7/24 dev gap0",),
        ["network interface up: gap0", "network route: 10.9.8.0/24 dev gap0"],
    ),
    "the default route of IPv4": (
        ("route add default via 10.9.8.1",),
        [
            "network interface up: gap0",
            "network route: default via 10.9.8.1 dev gap0, 10.9.8.0/24 dev gap0",
        ],
    ),
    "a route in another table": (
        ("addr flush dev gap0", "route add 172.16.0.0/12 dev gap0 table 51820"),
        ["network interface up: gap0", "network route: 172.16.0.0/12 dev gap0"],
    ),
    "several ways": (
        (
            "route flush table 51820",
            "route add 10.0.0.0/8 nexthop dev gap0 weight 1 nexthop dev gap0 weight 2",
        ),
        ["network interface up: gap0", "network route: 10.0.0.0/8 dev several"],
    ),
    "a route of IPv6": (
        ("route flush root 10.0.0.0/8", "-6 addr add fd09::7/64 dev gap0 nodad"),
        ["network interface up: gap0", "network route: fd09::/64 dev gap0"],
    ),
    "the default route of IPv6": (
        ("-6 addr flush dev gap0", "-6 route add default dev gap0"),
        ["network interface up: gap0", "network route: default dev gap0"],
    ),
    "IPv6 in another table": (
        ("-6 route del default", "-6 route add fd77::/32 dev gap0 table 51820"),
        ["network interface up: gap0", "network route: fd77::/32 dev gap0"],
    ),
    "routes that lead nowhere": (
        (
            "link set gap0 down",
            "route add unreachable 10.0.0.0/8",
            "route add prohibit 172.16.0.0/12",
            "route add throw 192.168.0.0/16",
            "route add 192.168.7.0/24 dev lo",
            "-6 route add blackhole fd00::/8",
        ),
        [],
    ),
    "no interface again": (("link del gap0",), []),
}
#: One process that goes through them all: a start of Python for each would be slow.
WALK: Final = """
import json, pathlib, subprocess, sys
from pai_signer.adapters.host import LinuxHost
from pai_signer.domain.policy import air_gap_problems
quiet, told = LinuxHost(sys=pathlib.Path(sys.argv[1])), {}
for name, commands in json.load(sys.stdin).items():
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    facts = quiet.facts()
    told[name] = [air_gap_problems(facts), [[i.name, i.is_up] for i in facts.interfaces]]
print(json.dumps(told))
"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What was said in each state."""
    inner, outer = f"pai-gap-{os.getpid()}", f"pai-far-{os.getpid()}"
    (tmp_path / "class" / "net").mkdir(parents=True)
    try:
        for name in (inner, outer):
            subprocess.run(["ip", "netns", "add", name], check=True)
        commands = {
            name: [c.replace("OUTER", outer) for c in each] for name, (each, _) in STATES.items()
        }
        walked = subprocess.run(
            ["ip", "netns", "exec", inner, sys.executable, "-c", WALK, tmp_path],
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            check=False,
        )
        assert walked.returncode == 0, walked.stderr
        yield json.loads(walked.stdout)
    finally:
        for name in (inner, outer):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@needs_namespaces
def test_each_state_of_the_network_is_told_right(told: dict[str, Any]) -> None:
    assert {name: problems for name, (problems, _) in told.items()} == {
        name: expected for name, (_, expected) in STATES.items()
    }
    interfaces = {name: found for name, (_, found) in told.items()}
    assert interfaces["none but loopback, which is down"] == interfaces["loopback up"] == []
    assert interfaces["an interface that is down"] == [["gap0", False]]
    assert interfaces["up without a route"] == [["gap0", True]]
    assert interfaces["no interface again"] == []


# --- radios: sysfs as a laptop with Wi-Fi, Bluetooth and a modem has it -----------------------
# tests/vm/test_radios.py has the kernel's own simulated radios in a virtual machine.

PCI: Final = "devices/pci0000:00/0000:00:1c.0/0000:02:00.0"
USB: Final = "devices/pci0000:00/0000:00:14.0/usb1/1-7/1-7:1.0"
PLATFORM: Final = "devices/platform/thinkpad_acpi"


def laptop(
    root: Path, *, switches: bool = True, wlan: str = "10", bluetooth: str = "10", wwan: str = "10"
) -> Path:
    """``soft`` and ``hard`` of each switch, as two digits."""
    adapters = (
        (f"{PCI}/ieee80211/phy0", "ieee80211", 0, "wlan", wlan),
        (f"{USB}/bluetooth/hci0", "bluetooth", 1, "bluetooth", bluetooth),
        (PLATFORM, "", 2, "wwan", wwan),
    )
    (root / "class").mkdir(parents=True)
    for device, kind, number, radio, state in adapters:
        folder = root / device
        folder.mkdir(parents=True)
        name = folder.name if kind else "tpacpi_wwan_sw"
        if kind:
            (root / "class" / kind).mkdir()
            (root / "class" / kind / folder.name).symlink_to(f"../../{device}")
        if not switches:
            continue
        switch = folder / f"rfkill{number}" if kind else folder / "rfkill" / f"rfkill{number}"
        switch.mkdir(parents=True)
        soft, hard = state[0], state[1]
        # 0 blocked by software, 1 unblocked, 2 blocked by a switch: sysfs-class-rfkill.
        summary = "2" if hard == "1" else "0" if soft == "1" else "1"
        files = {"type": radio, "name": name, "soft": soft, "hard": hard, "state": summary}
        for file, text in {**files, "index": str(number), "persistent": "0"}.items():
            (switch / file).write_text(f"{text}\n")
        (root / "class" / "rfkill").mkdir(exist_ok=True)
        link = f"../../{switch.relative_to(root)}"
        (root / "class" / "rfkill" / switch.name).symlink_to(link)
    return root


@pytest.mark.parametrize(
    ("states", "unblocked"),
    [
        ({}, ()),
        ({"wlan": "00"}, ("wlan phy0",)),
        ({"wlan": "01"}, ()),
        ({"wlan": "11"}, ()),
        ({"bluetooth": "00"}, ("bluetooth hci0",)),
        ({"bluetooth": "01"}, ()),
        ({"wwan": "00"}, ("wwan tpacpi_wwan_sw",)),
        (
            {"wlan": "00", "bluetooth": "00", "wwan": "00"},
            ("wlan phy0", "bluetooth hci0", "wwan tpacpi_wwan_sw"),
        ),
    ],
)
def test_each_radio_is_told_blocked_or_not(
    tmp_path: Path, states: dict[str, Any], unblocked: tuple[str, ...]
) -> None:
    root = laptop(tmp_path / "sys", switches=True, **states)
    assert read_unblocked_radios(root) == unblocked


def test_a_radio_without_any_switch_is_never_blocked(tmp_path: Path) -> None:
    root = laptop(tmp_path / "sys")
    adapter = root / USB / "bluetooth" / "hci1"
    adapter.mkdir(parents=True)
    (root / "class/bluetooth/hci1").symlink_to(f"../../{USB}/bluetooth/hci1")
    # A connection of the blocked adapter is no radio of its own.
    (root / "class/bluetooth/hci0:256").mkdir()
    assert read_unblocked_radios(root) == ("bluetooth hci1",)


def test_without_rfkill_every_adapter_counts(tmp_path: Path) -> None:
    found = read_unblocked_radios(laptop(tmp_path / "sys", switches=False))
    assert found == ("ieee80211 phy0", "bluetooth hci0")


def test_a_switch_that_cannot_be_read_is_no_blocked_radio(tmp_path: Path) -> None:
    root = laptop(tmp_path / "sys", wlan="00")
    (root / PCI / "ieee80211/phy0/rfkill0/hard").unlink()
    with pytest.raises(OSError, match="hard"):
        read_unblocked_radios(root)
