"""Runs inside the guest: takes requests from the console, and says there how each ended.

    python -m tests.vm.guest                    # requests, one JSON object a line
    python -m tests.vm.guest MODULE HOLD_AT ... # one module, as if by a request

A request is a shell script, or a command of ``pai-signer``, which runs as it is in a fork
of this process: the modules are loaded once, since that takes most of a run without KVM.

Every call that touches the stick is a *moment* (``CALLS``). With ``hold_at`` the run says
``HOLDING`` before the n-th, and goes on when the stick is gone; a power cut ends it there.
``WRITTEN path size digest`` is said when ``durable`` has said that a file on the stick lasts;
with ``marks``, the number of such files is also written to the stick's last sector, where it
stands among the stick's other writes in the order in which they were made.
"""

import functools
import hashlib
import importlib
import json
import mmap
import os
import pkgutil
import runpy
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pai_signer
from pai_signer.adapters import durable
from pai_signer.adapters.destination import PUBLIC_FILE
from tests.keys import CUSTODIAN_PASSPHRASES, WEAK_PASSPHRASE
from tests.vm.kernel import MOUNT_POINT, STARTED
from tests.vm.write_log import SECTOR_BYTES

#: What the program asks the kernel about a medium, or tells it.
CALLS: Final = ("open", "mkdir", "write", "fsync", "scandir", "fstatvfs", "read", "readv", "pread")
#: On which descriptors the passphrases wait, as in ``tests.workstation``.
PASSPHRASES: Final = dict(
    zip((3, 4, 5, 6, 7), (*[WEAK_PASSPHRASE] * 3, *CUSTODIAN_PASSPHRASES), strict=True)
)
_fstat: Final = os.fstat
_write: Final = os.write
_open: Final = os.open


def say(text: str) -> None:
    """A line of its own on the console, whatever else is being written there."""
    console = _open("/dev/console", os.O_WRONLY | os.O_NOCTTY)
    _write(console, f"\n{text}\n".encode())
    os.close(console)


class Watch:
    """Counts the moments of one run, and stops at one of them."""

    def __init__(self, *, hold_at: int, marks: bool) -> None:
        """What ``durable`` and ``os`` do is watched from here on."""
        self.moments = 0
        self._hold_at = hold_at
        self._marks = marks
        self._device = MOUNT_POINT.stat().st_dev
        self._stick = Path(f"/sys/dev/block/{_numbers(self._device)}").resolve()
        for name in CALLS:
            vars(os)[name] = self._watched(vars(os)[name])
        self._write_at = durable.write_at
        durable.write_at = self._write_at_and_say

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def watched(*arguments: Any, **named: Any) -> Any:
            if self._concerns_stick(arguments[0], named.get("dir_fd")):
                self.moments += 1
                if self.moments == self._hold_at:
                    self._hold(call.__name__)
            return call(*arguments, **named)

        return watched

    def _concerns_stick(self, first: object, folder: int | None) -> bool:
        held = folder if folder is not None else first
        if not isinstance(held, int):
            return str(held).startswith(str(MOUNT_POINT))
        try:
            return _fstat(held).st_dev == self._device
        except OSError:
            return False

    def _hold(self, call: str) -> None:
        say(f"HOLDING before {call}")
        while self._stick.exists():
            time.sleep(0.02)

    def _write_at_and_say(
        self, folder: int, name: str, data: bytes, *, mode: int, may_replace: bool
    ) -> None:
        self._write_at(folder, name, data, mode=mode, may_replace=may_replace)
        if mode == PUBLIC_FILE and _fstat(folder).st_dev == self._device:
            if self._marks:
                self._mark()
            path = Path(f"/proc/self/fd/{folder}").readlink().relative_to(MOUNT_POINT) / name
            say(f"WRITTEN {path} {len(data)} {hashlib.sha256(data).hexdigest()}")

    def _mark(self) -> None:
        """One more in the last sector, past every cache of the kernel (open(2): O_DIRECT)."""
        device = _open(f"/dev/{self._stick.name}", os.O_RDWR | os.O_DIRECT | os.O_SYNC)
        at = os.lseek(device, 0, os.SEEK_END) - SECTOR_BYTES
        with mmap.mmap(-1, SECTOR_BYTES) as sector:
            os.preadv(device, [sector], at)
            count = int.from_bytes(sector[:8], "little") + 1
            sector[:8] = count.to_bytes(8, "little")
            os.pwritev(device, [sector], at)
        os.close(device)


def _numbers(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def run_module(module: str, arguments: list[str], *, hold_at: int, marks: bool) -> int:
    """Run it as ``python -m`` does, watched; its exit code. Says how many moments it had."""
    watch = Watch(hold_at=hold_at, marks=marks)
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    say(f"MOMENTS {watch.moments}")
    return code


def _serve(request: dict[str, Any]) -> int:
    """In a process of its own: do what is asked; the exit code."""
    os.dup2(_open(os.devnull, os.O_RDONLY), 0)
    if "script" in request:
        os.execv("/bin/bash", ["bash", "-c", request["script"]])
    for number, phrase in PASSPHRASES.items():
        out, into = os.pipe()
        _write(into, phrase + b"\n")
        os.close(into)
        os.dup2(out, 100 + number)
        os.close(out)
    for number in PASSPHRASES:
        os.dup2(100 + number, number)
        os.close(100 + number)
    hold_at, marks = int(request.get("hold_at", 0)), bool(request.get("marks"))
    return run_module("tests.weak_signer", request["command"], hold_at=hold_at, marks=marks)


def main() -> None:
    """Load the program, then answer requests until the console ends."""
    settings = termios.tcgetattr(0)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, settings)
    importlib.import_module("tests.weak_signer")
    for module in pkgutil.walk_packages(pai_signer.__path__, "pai_signer."):
        if not module.name.startswith(("pai_signer.faces.tui", "pai_signer.faces.start_app")):
            importlib.import_module(module.name)
    say(STARTED)
    while line := os.read(0, 1 << 16):
        child = os.fork()
        if child == 0:
            os._exit(_serve(json.loads(line)))
        _, status = os.waitpid(child, 0)
        say(f"ENDED {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        hold_at = int(sys.argv[2])
        sys.exit(run_module(sys.argv[1], sys.argv[3:], hold_at=hold_at, marks=False))
    main()
