"""A real kernel with real USB sticks: QEMU without KVM, the host's root inside, read-only.

Debian's packaged kernel boots with a small initial RAM disk that loads the modules,
mounts the host's root over 9p (so that the same Python and the same program run
inside), puts tmpfs where something is written, and starts ``tests.vm.guest``. The
console is the protocol: the test writes what to run, one request a line, and reads what
is said; the monitor plugs sticks in and pulls them out.

Sources: qemu(1); linux, Documentation/filesystems/9p.rst.
"""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from tests.vm import kernel
from tests.vm.kernel import PROJECT, STARTED
from tests.workstation import TOP

#: Before each shell script.
_STRICT: Final = "set -eu\n"
#: And where a stick is plugged in: its name of today (a pulled one gets the next letter).
_FIND_STICK: Final = """
for try in $(seq 200); do ls /sys/block/sd* >/dev/null 2>&1 && break; sleep 0.1; done
STICK=/dev/$(cd /sys/block; echo sd*)
"""
#: The same interpreter with the project's packages, as the guest finds it.
PYTHON: Final = sys.executable.replace(f"{TOP}/", f"{PROJECT}/", 1)
_ENDED: Final = re.compile(r"ENDED (-?\d+)")
_MOMENTS: Final = re.compile(r"MOMENTS (\d+)")
_BOOT_S: Final = 600.0
_RUN_S: Final = 1800.0
_UNPLUG_S: Final = 30.0
_HUB: Final = "xhci"


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, what was on the console, and its moments (``guest``)."""

    code: int
    said: str
    moments: int


@dataclass
class Machine:
    """A running guest, its console and its monitor; its stick is not plugged in yet."""

    process: subprocess.Popen[bytes]
    monitor: Path
    lines: list[str] = field(default_factory=list)
    is_plugged: bool = False
    _waiting: "SimpleQueue[str | None]" = field(default_factory=SimpleQueue)
    _began: int = 0

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    # --- what runs inside -----------------------------------------------------------------

    def start(self, request: list[str] | str, **how: Any) -> None:
        """Start ``pai-signer`` with these arguments, or a shell script (see ``guest.Request``)."""
        self._began = len(self.lines)
        assert self.process.stdin is not None
        what: dict[str, Any] = {"command": request}
        if isinstance(request, str):
            what = {"script": _STRICT + (_FIND_STICK if self.is_plugged else "") + request}
        self.process.stdin.write(json.dumps({**what, **how}).encode() + b"\n")
        self.process.stdin.flush()

    def ended(self) -> Ended:
        """Wait until what was started has ended."""
        code = _ENDED.search(self.wait_for("ENDED"))
        said = "\n".join(self.lines[self._began :])
        assert code is not None, said
        moments = _MOMENTS.search(said)
        return Ended(int(code[1]), said, int(moments[1]) if moments else 0)

    def run(self, command: list[str], **how: Any) -> Ended:
        """Start the program and wait for its end."""
        self.start(command, **how)
        return self.ended()

    def shell(self, script: str) -> str:
        """Run a script, with ``$STICK``, that has to succeed; what it said."""
        self.start(script)
        done = self.ended()
        assert done.code == 0, done.said
        return done.said

    def wait_for(self, text: str, timeout_s: float = _RUN_S) -> str:
        """The first new line that holds ``text``."""
        ends_at = time.monotonic() + timeout_s
        while True:
            try:
                line = self._waiting.get(timeout=max(0.01, ends_at - time.monotonic()))
            except Empty:
                line = None
            if line is None:
                raise AssertionError(f"no {text!r} on the console:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if text in line:
                return line

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._waiting.put(line.decode(errors="replace").rstrip())
        self._waiting.put(None)

    # --- the world around it --------------------------------------------------------------

    def cut_power(self) -> None:
        """SIGKILL: what the guest had not yet sent to the stick is lost."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def plug(self) -> None:
        """Plug the stick in; the kernel takes a moment to see it."""
        device = f"usb-storage,id=u1,drive=stick,bus={_HUB}.0,removable=on"
        ends_at = time.monotonic() + _UNPLUG_S
        # QEMU frees a device some time after it was pulled; until then its image is in use.
        while "Error" in (answer := self._command(f"device_add {device}")):
            assert time.monotonic() < ends_at, answer
            time.sleep(0.1)
        self.is_plugged = True

    def pull(self) -> None:
        """Pull the stick out, in use or not."""
        answer = self._command("device_del u1")
        assert "Error" not in answer, answer
        self.is_plugged = False

    def _command(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_RUN_S)
            connection.connect(str(self.monitor))
            # The prompt comes again when the command is done: two in all.
            connection.sendall(f"{line}\n".encode())
            answer = b""
            while answer.count(b"(qemu)") < 2:
                answer += connection.recv(4096)
        return answer.decode(errors="replace")


@contextlib.contextmanager
def boot(
    stick: Path,
    job: Path,
    *,
    log: Path | None = None,
    read_only: bool = False,
    devices: Sequence[str] = (),
) -> Iterator[Machine]:
    """Boot; ``job`` appears, read-only, at ``kernel.JOB``, and ``stick`` can be plugged in.

    Every write to the stick is also appended to ``log``, where one is given (``write_log``).
    ``devices`` are built in besides, as qemu(1) names them.
    """
    image = {"driver": "file", "filename": str(stick), "read-only": read_only}
    raw: dict[str, Any] = {"driver": "raw", "file": image, "read-only": read_only}
    if log is not None:
        log.touch()
        kept = {"driver": "file", "filename": str(log)}
        sizes = {"log-sector-size": 512, "log-super-update-interval": 1}
        raw = {"driver": "blklogwrites", "file": raw, "log": kept, **sizes}
    with tempfile.TemporaryDirectory(prefix="pai-vm-") as scratch:
        monitor = Path(scratch, "monitor")
        shared = "security_model=none,readonly=on,multidevs=remap"
        command = [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-m", "1024", "-smp", "2", "-display", "none", "-no-reboot", "-nodefaults"),
            *("-kernel", str(kernel.image()), "-initrd", str(kernel.ram_disk())),
            *(
                "-append",
                f"console=ttyS0 loglevel=1 no_timer_check panic=-1 rdinit=/init PYTHON={PYTHON}",
            ),
            *("-serial", "stdio", "-monitor", f"unix:{monitor},server,nowait"),
            *("-virtfs", f"local,path=/,mount_tag=root,id=root,{shared}"),
            *("-virtfs", f"local,path={job},mount_tag=job,id=job,{shared}"),
            *("-virtfs", f"local,path={TOP},mount_tag=project,id=project,{shared}"),
            *("-device", f"qemu-xhci,id={_HUB}"),
            *("-blockdev", json.dumps({**raw, "node-name": "stick"})),
            *(word for device in devices for word in ("-device", device)),
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        machine = Machine(process, monitor)
        try:
            machine.wait_for(STARTED, _BOOT_S)
            yield machine
        finally:
            process.kill()
            process.wait()


def why_no_machine() -> str:
    """Why the machine cannot run here; empty if it can."""
    missing = kernel.missing_tools("qemu-system-x86_64")
    return f"missing tools: {' '.join(missing)} (packages/vm-test.txt)" if missing else ""
