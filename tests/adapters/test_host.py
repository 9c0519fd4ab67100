"""The laptop's facts, in an empty network namespace and on sample trees of /proc and /sys.

Telling what could reach out opens no internet socket (SEC-1); test_air_gap.py has the states of
the air gap (POL-9).
"""

import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import network
from pai_signer.adapters.host import LinuxHost
from pai_signer.domain.host import HostFacts

REPORT = """
import dataclasses, json
from pai_signer.adapters.host import LinuxHost
print(json.dumps(dataclasses.asdict(LinuxHost().facts())))
"""


def can_make_namespaces() -> bool:
    return (
        subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
    )


in_namespaces = [
    pytest.mark.root,
    pytest.mark.skipif(not can_make_namespaces(), reason="no network namespaces here"),
]


def needs_namespaces(test: Callable[..., None]) -> Callable[..., None]:
    for mark in in_namespaces:
        test = mark(test)
    return test


def facts_in(*prefix: str) -> dict[str, Any]:
    out = subprocess.run([*prefix, sys.executable, "-c", REPORT], capture_output=True, check=True)
    facts: dict[str, Any] = json.loads(out.stdout)
    return facts


@needs_namespaces
def test_an_empty_namespace_has_no_interface_and_no_route() -> None:
    facts = facts_in("unshare", "-n")
    assert facts["interfaces"] == []
    assert facts["routes"] == []


@needs_namespaces
def test_no_internet_socket_is_opened_for_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-e", "trace=socket", "-o", str(trace)]
    try:
        subprocess.run(["strace", "-V"], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    facts_in(*strace)
    text = trace.read_text()
    assert "AF_NETLINK" in text
    assert "AF_INET" not in text


# --- sysfs and procfs, as sample trees ----------------------------------------------------


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def facts_of(tmp_path: Path) -> HostFacts:
    return LinuxHost(proc=tmp_path / "proc", sys=tmp_path / "sys").facts()


def test_what_cannot_be_read_is_none_and_never_a_comfortable_default(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    assert facts.radios_unblocked is None
    assert facts.swap_unencrypted is None
    assert facts.memory_available_bytes is None


def test_a_kernel_that_does_not_answer_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refuse)
    facts = facts_of(tmp_path)
    assert facts.interfaces is None
    assert facts.routes is None


def test_a_wireless_interface_is_told_unless_sysfs_shows_another_namespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = (
        network.Link(1, "lo", 0x9),
        network.Link(3, "wlan0", 0x1),
        network.Link(4, "wlan1", 0x0),
        network.Link(5, "eth0", 0x0),
    )
    monkeypatch.setattr(network, "read_links", lambda: links)
    write(
        tmp_path / "sys/class/net",
        {
            "wlan0/ifindex": "3\n",
            "wlan0/phy80211/name": "phy0\n",
            "wlan1/ifindex": "77\n",
            "wlan1/wireless/link": "0\n",
        },
    )
    found = network.read_interfaces(tmp_path / "sys")
    assert [(i.name, i.is_up, i.is_wireless) for i in found] == [
        ("wlan0", True, True),
        ("wlan1", False, False),
        ("eth0", False, False),
    ]


def test_a_radio_is_unblocked_only_if_neither_switch_nor_software_blocks_it(tmp_path: Path) -> None:
    radios = {"0": ("0", "0"), "1": ("1", "0"), "2": ("0", "1"), "3": ("1", "1")}
    for number, (soft, hard) in radios.items():
        write(
            tmp_path / "sys/class/rfkill" / f"rfkill{number}",
            {"name": f"phy{number}", "type": "wlan", "soft": f"{soft}\n", "hard": f"{hard}\n"},
        )
    assert facts_of(tmp_path).radios_unblocked == ("wlan phy0",)


def test_without_rfkill_every_radio_counts_and_none_is_none_left_open(tmp_path: Path) -> None:
    write(tmp_path / "sys/class", {"bluetooth/hci0/x": "", "ieee80211/phy0/x": "", "net/lo/x": ""})
    assert facts_of(tmp_path).radios_unblocked == ("ieee80211 phy0", "bluetooth hci0")
    assert network.read_unblocked_radios(tmp_path / "sys") == (
        "ieee80211 phy0",
        "bluetooth hci0",
    )
    (tmp_path / "bare/class/net").mkdir(parents=True)
    assert network.read_unblocked_radios(tmp_path / "bare") == ()


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def swap(tmp_path: Path, *areas: str, **files: str) -> tuple[str, ...] | None:
    lines = "".join(f"{area}  partition\t999\t0\t-2\n" for area in areas)
    write(tmp_path, {"proc/swaps": SWAPS + lines, **{f"sys/{k}": v for k, v in files.items()}})
    return facts_of(tmp_path).swap_unencrypted


def test_no_swap_is_no_finding(tmp_path: Path) -> None:
    assert swap(tmp_path) == ()


def test_a_plain_partition_is_unencrypted_swap(tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/block/sda2/size": "1"})
    assert swap(tmp_path, "/dev/sda2") == ("/dev/sda2",)


@pytest.mark.parametrize(
    ("uuid", "is_encrypted"),
    [
        ("CRYPT-LUKS2-abc-swap", True),
        ("CRYPT-PLAIN-swap", True),
        ("CRYPT-VERITY-abc", False),
        ("CRYPT-INTEGRITY-abc", False),
        ("LVM-abc", False),
        ("mpath-x", False),
    ],
)
def test_a_mapped_device_counts_by_what_it_is(
    tmp_path: Path, uuid: str, is_encrypted: bool
) -> None:
    write(tmp_path, {"sys/class/block/dm-7/dm/uuid": f"{uuid}\n"})
    assert swap(tmp_path, "/dev/dm-7") == (() if is_encrypted else ("/dev/dm-7",))


def test_lvm_is_encrypted_only_if_all_below_it_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/class/block/dm-1/dm/uuid": "LVM-x\n",
            "sys/class/block/dm-1/slaves/dm-0/x": "",
            "sys/class/block/dm-0/dm/uuid": "CRYPT-LUKS2-x\n",
        },
    )
    assert swap(tmp_path, "/dev/dm-1") == ()
    write(tmp_path, {"sys/class/block/dm-1/slaves/sdb/x": "", "sys/class/block/sdb/size": "1"})
    assert swap(tmp_path, "/dev/dm-1") == ("/dev/dm-1",)


def test_zram_is_memory_unless_a_disk_backs_it(tmp_path: Path) -> None:
    write(tmp_path, {"sys/block/zram0/disksize": "1", "sys/block/zram1/backing_dev": "none\n"})
    assert swap(tmp_path, "/dev/zram0", "/dev/zram1") == ()
    write(tmp_path, {"sys/block/zram1/backing_dev": "/dev/sda3\n"})
    assert swap(tmp_path, "/dev/zram0", "/dev/zram1") == ("/dev/zram1",)


def test_a_swap_file_counts_by_the_device_below_its_filesystem(tmp_path: Path) -> None:
    file = tmp_path / "swap file"
    file.write_text("")
    number = file.stat().st_dev
    device = tmp_path / "sys/devices/virtual/block/dm-3"
    write(tmp_path, {"sys/class/block/dm-3/dm/uuid": "CRYPT-LUKS2-root\n"})
    device.mkdir(parents=True)
    link = tmp_path / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(device)
    escaped = str(file).replace(" ", "\\040")
    assert swap(tmp_path, escaped) == ()
    write(tmp_path, {"sys/class/block/dm-3/dm/uuid": "LVM-root\n"})
    assert swap(tmp_path, escaped) == (str(file),)


MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nSwapTotal: 0 kB\n"
AVAILABLE = 8_000_000 << 10


def memory(tmp_path: Path, cgroup: str, files: dict[str, str]) -> int | None:
    write(tmp_path, {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup})
    write(tmp_path / "sys/fs/cgroup", files)
    return facts_of(tmp_path).memory_available_bytes


def test_memory_is_what_the_kernel_calls_available(tmp_path: Path) -> None:
    assert memory(tmp_path, "0::/user.slice/x\n", {"user.slice/x/memory.max": "max\n"}) == AVAILABLE


def test_a_control_groups_limit_counts_on_every_level_without_its_file_cache(
    tmp_path: Path,
) -> None:
    files = {
        "user.slice/x/memory.max": "max\n",
        "user.slice/memory.max": f"{3 << 30}\n",
        "user.slice/memory.current": f"{2 << 30}\n",
        "user.slice/memory.stat": f"anon 1\nactive_file {1 << 29}\ninactive_file {1 << 29}\n",
    }
    assert memory(tmp_path, "0::/user.slice/x\n", files) == 2 << 30


def test_a_version_1_control_group_counts_too(tmp_path: Path) -> None:
    files = {
        "memory/box/memory.limit_in_bytes": f"{1 << 30}\n",
        "memory/box/memory.usage_in_bytes": f"{1 << 28}\n",
        "memory/box/memory.stat": "total_active_file 0\ntotal_inactive_file 0\n",
    }
    assert memory(tmp_path, "4:cpu:/a\n3:memory:/box\n0::/\n", files) == (1 << 30) - (1 << 28)


# --- tools, terminal, entropy -------------------------------------------------------------


def test_tools_tell_path_and_version_or_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = {tool.name: tool for tool in LinuxHost().facts().tools}
    assert set(tools) == {"gpg", "git", "lsblk", "findmnt", "udisksctl"}
    assert tools["git"].path == "/usr/bin/git"
    assert tools["git"].version.startswith("git version 2.")
    assert tools["gpg"].version.startswith("gpg (GnuPG) 2.")
    assert tools["gpg"].install_line == "sudo apt-get install gpg gpg-agent"
    monkeypatch.setattr("pai_signer.adapters.process.TOOL_PATH", "/nonexistent")
    tool = LinuxHost()._tool("git", "--version")
    assert (tool.path, tool.version) == (None, "")
    assert tool.install_line == "sudo apt-get install git"


def test_a_tool_is_asked_for_its_version_again_only_when_its_file_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The title row asks for the facts every few seconds."""
    monkeypatch.setattr("pai_signer.adapters.process.TOOL_PATH", str(tmp_path))
    git, asked = tmp_path / "git", tmp_path / "asked"

    def install(version: str) -> None:
        git.write_text(f"#!/bin/sh\necho x >> {asked}\necho {version}\n")
        git.chmod(0o755)

    install("git version 2.1")
    host = LinuxHost()
    assert [host._tool("git", "--version").version for _ in range(3)] == ["git version 2.1"] * 3
    assert asked.read_text() == "x\n"
    install("git version 2.22")
    assert host._tool("git", "--version").version == "git version 2.22"
    git.unlink()
    assert host._tool("git", "--version").path is None


def test_the_generator_is_ready_or_not_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LinuxHost().facts().entropy_ready is True
    for error, expected in ((BlockingIOError(), False), (OSError(), None)):

        def fail(*_: int, error: OSError = error) -> bytes:
            raise error

        monkeypatch.setattr(os, "getrandom", fail)
        assert LinuxHost().facts().entropy_ready is expected


def test_a_real_terminals_size_is_told_and_a_silent_one_is_80_by_24() -> None:
    code = (
        "from pai_signer.adapters.host import LinuxHost\n"
        "f = LinuxHost().facts(); print(f.terminal, f.terminal_columns, f.terminal_rows)"
    )
    for stty, expected in (
        ("cols 132 rows 43", b"linux 132 43"),
        ("cols 0 rows 0", b"linux 80 24"),
    ):
        main, child = pty.openpty()
        subprocess.run(["stty", *stty.split()], stdin=child, check=True)
        subprocess.run(
            [sys.executable, "-c", code],
            stdin=child,
            stdout=child,
            stderr=child,
            env={**os.environ, "TERM": "linux"},
            check=True,
        )
        assert os.read(main, 1000).strip() == expected
        os.close(main)
        os.close(child)


def test_a_hostile_term_is_shown_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "x\x1b[2J")
    assert LinuxHost().facts().terminal == "x\\x1b[2J"
