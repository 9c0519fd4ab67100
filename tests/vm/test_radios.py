"""The air gap with the kernel's own radios, blocked and not (POL-9). Run by ``make vm-test``."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from tests.vm import kernel, machine
from tests.vm.kernel import JOB

MODULES: Final = {"wireless": ("mac80211_hwsim",), "bluetooth": ("hci_vhci",)}


def test_wireless_and_bluetooth_are_told_blocked_and_unblocked(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    for name, wanted in MODULES.items():
        files = kernel.module_files(wanted)
        (job / name).write_text("\n".join(file.name for file in files))
        for file in files:
            shutil.copy(file, job)
    stick = tmp_path / "stick"
    stick.touch()
    with machine.boot(stick, job) as guest:
        guest.shell(f"{machine.PYTHON} -m tests.vm.radios {JOB}")
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
