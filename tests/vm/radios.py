"""Runs inside the guest: real radios come up and are blocked; the air gap is told at each step.

The radios are the kernel's own, without hardware: ``mac80211_hwsim`` and ``hci_vhci``. Each step
prints ``STATE name {...}``. Sources: linux, Documentation/networking/mac80211_hwsim and
Documentation/ABI/stable/sysfs-class-rfkill; drivers/bluetooth/hci_vhci.c (a first packet of type
0xff makes the device).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pai_signer.adapters.host import LinuxHost
from pai_signer.domain.policy import air_gap_problems

RADIOS: Final = Path("/sys/class/rfkill")
_MAKE_A_DEVICE: Final = b"\xff\x00"


def _tell(name: str) -> None:
    facts = LinuxHost().facts()
    told = {
        "interfaces": [[i.name, i.is_up, i.is_wireless] for i in facts.interfaces or ()],
        "radios": facts.radios_unblocked,
        "problems": air_gap_problems(facts),
    }
    os.write(1, f"\nSTATE {name} {json.dumps(told)}\n".encode())


def _load(folder: Path, wanted: str) -> None:
    """The modules of one list, which names what they need first."""
    for name in (folder / wanted).read_text().split():
        options = ["radios=1"] if name == "mac80211_hwsim.ko" else []
        subprocess.run(["/bin/busybox", "insmod", str(folder / name), *options], check=False)


def _switch(kind: str, blocked: bool) -> None:
    for radio in RADIOS.iterdir():
        if (radio / "type").read_text().strip() == kind:
            (radio / "soft").write_text("1" if blocked else "0")


def _wait(until: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 30
    while not until() and time.monotonic() < ends_at:
        time.sleep(0.1)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def main(modules: Path) -> None:
    """Through every state."""
    _tell("no-radio")
    _load(modules, "wireless")
    _wait(lambda: Path("/sys/class/net/wlan0").exists())
    _switch("wlan", blocked=False)
    _tell("wireless-down")
    _ip("link", "set", "wlan0", "up")
    _tell("wireless-up")
    _switch("wlan", blocked=True)
    _wait(lambda: not int(Path("/sys/class/net/wlan0/flags").read_text(), 16) & 1)
    _tell("wireless-blocked")
    _load(modules, "bluetooth")
    _wait(lambda: Path("/dev/vhci").exists())
    device = os.open("/dev/vhci", os.O_RDWR)
    os.write(device, _MAKE_A_DEVICE)
    _wait(lambda: any((radio / "name").read_text() == "hci0\n" for radio in RADIOS.iterdir()))
    _switch("bluetooth", blocked=False)
    _tell("bluetooth")
    _switch("bluetooth", blocked=True)
    _tell("all-blocked")
    os.close(device)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
