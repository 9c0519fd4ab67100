"""The air gap with the kernel's own radios, blocked and not (POL-9). Run by ``make vm-test``."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from tests.vm import machine

pytestmark = pytest.mark.skipif(
    bool(machine.why_no_machine()), reason=machine.why_no_machine() or "works here"
)

MODULES: Final = {"wireless": ("mac80211_hwsim",), "bluetooth": ("hci_vhci",)}


def test_wireless_and_bluetooth_are_told_blocked_and_unblocked(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    for name, wanted in MODULES.items():
        files = machine.module_files(wanted)
        (job / name).write_text("\n".join(file.name for file in files))
        for file in files:
            shutil.copy(file, job)
    program = machine.python("-m", "tests.vm.radios", machine.JOB)
    with machine.boot(program, machine.new_stick(tmp_path / "stick.img"), job) as guest:
        assert guest.exit_code(300) == 0, guest.said
    states: dict[str, dict[str, Any]] = {}
    for line in guest.lines:
        if line.startswith("STATE "):
            _, name, told = line.split(" ", 2)
            states[name] = json.loads(told)
    assert states["no-radio"] == {"interfaces": [], "radios": [], "problems": []}
    wireless = states["wireless-down"]
    assert ["wlan0", False, True] in wireless["interfaces"]
    assert wireless["problems"] == ["radio not blocked: wlan phy0"]
    wireless = states["wireless-up"]
    assert ["wlan0", True, True] in wireless["interfaces"]
    assert "network interface up: wlan0" in wireless["problems"]
    assert "radio not blocked: wlan phy0" in wireless["problems"]
    assert states["wireless-blocked"]["problems"] == []
    assert states["bluetooth"]["problems"] == ["radio not blocked: bluetooth hci0"]
    assert states["all-blocked"]["problems"] == []
    assert ["wlan0", False, True] in states["all-blocked"]["interfaces"]
