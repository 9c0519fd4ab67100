"""Runs inside the guest: ``pai-signer`` as it is, and a word on the console for each file.

    python -m tests.vm.guest COMMAND...

``WRITTEN name size`` is printed once ``durable`` has said that a file on the stick lasts.
With ``HOLD_AT=n`` the n-th such file is the last for now: ``HOLDING`` is printed,
and nothing more is written until the test cuts the power or pulls the stick.
"""

import os
import runpy
import time
from pathlib import Path
from typing import Final

from pai_signer.adapters import durable
from pai_signer.adapters.destination import PUBLIC_FILE

STICK: Final = Path("/sys/block/sda")
_HOLD_AT: Final = int(os.environ.get("HOLD_AT", "0"))
_write_at: Final = durable.write_at
_written: Final[list[str]] = []


def _say(text: str) -> None:
    os.write(1, f"\n{text}\n".encode())


def write_and_say(folder: int, name: str, data: bytes, *, mode: int, may_replace: bool) -> None:
    """``durable.write_at``, then what the test waits for."""
    _write_at(folder, name, data, mode=mode, may_replace=may_replace)
    if mode != PUBLIC_FILE:
        return
    _written.append(name)
    _say(f"WRITTEN {name} {len(data)}")
    if len(_written) == _HOLD_AT:
        _say("HOLDING")
        while STICK.exists():
            time.sleep(0.02)


if __name__ == "__main__":
    durable.write_at = write_and_say
    runpy.run_module("tests.weak_signer", run_name="__main__")
