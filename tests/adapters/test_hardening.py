"""SEC-2: core dumps, debuggers, umask and swap, each read back from the kernel afterwards."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters import hardening
from pai_signer.adapters.host import LinuxHost

ROOT: Final = Path(__file__).parents[2]
#: The limit that systemd gives to everybody.
SMALL: Final = 8 << 20
NOBODY: Final = 65534

SCRIPT: Final = """
import json, os, resource, sys
from pai_signer.adapters import hardening
from pai_signer.adapters.host import LinuxHost
limit, user = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
os.umask(0o022)
if user:
    os.setresuid(user, user, user)
before = LinuxHost().facts()
hardening.harden()
hardening.harden()
memory = bytearray(64 << 20)
memory[::4096] = b"x" * len(memory[::4096])
after = LinuxHost().facts()
print(json.dumps([before.open_doors, before.memory_locked, after.open_doors, after.memory_locked]))
"""


def hardened(limit: int, user: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(limit), str(user)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("user", "locked"),
    [(0, True), (NOBODY, False)],
)
def test_every_door_is_shut_and_memory_is_locked_where_that_is_allowed(
    user: int, locked: bool
) -> None:
    """Where it is not, 64 MiB can be had all the same: a lock must never cost a passphrase."""
    doors_before, locked_before, doors, is_locked = hardened(SMALL, user)
    assert "new files could be read by others" in doors_before
    assert locked_before is False
    assert doors == []
    assert is_locked is locked


@pytest.mark.parametrize(
    ("limits", "capabilities", "may"),
    [
        ((SMALL, SMALL), 0, False),
        ((SMALL, SMALL), 1 << 14, True),
        ((SMALL, SMALL), ~(1 << 14), False),
        ((4 << 30, 4 << 30), 0, False),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 0, True),
    ],
)
def test_memory_is_locked_only_where_no_limit_holds(
    limits: tuple[int, int], capabilities: int, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit, however high, could be reached in the middle of hashing a passphrase."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(hardening, "_capabilities", lambda: capabilities)
    assert hardening._may_lock_all() is may


@pytest.mark.parametrize(
    ("state", "disk", "can"),
    [
        ("freeze mem disk\n", "[platform] shutdown reboot\n", True),
        ("freeze mem\n", "[disabled]\n", False),
        ("freeze mem disk\n", "[disabled]\n", False),
        ("freeze mem disk\n", None, False),
        (None, None, False),
    ],
)
def test_whether_the_machine_can_hibernate(
    tmp_path: Path, state: str | None, disk: str | None, can: bool
) -> None:
    power = tmp_path / "power"
    power.mkdir()
    for name, text in (("state", state), ("disk", disk)):
        if text is not None:
            (power / name).write_text(text)
    assert LinuxHost(sys=tmp_path).facts().can_hibernate is can


@pytest.mark.parametrize(
    ("status", "locked", "umask_is_open"),
    [
        ("Umask:\t0077\nVmLck:\t 9000 kB\nVmRSS:\t 8000 kB\n", True, False),
        ("Umask:\t0027\nVmLck:\t 7999 kB\nVmRSS:\t 8000 kB\n", False, True),
        ("VmRSS:\t 8000 kB\n", None, True),
    ],
)
def test_what_the_kernel_says_of_the_process_is_read(
    tmp_path: Path, status: str, locked: bool | None, umask_is_open: bool
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(status)
    facts = LinuxHost(proc=tmp_path).facts()
    assert facts.memory_locked is locked
    assert facts.open_doors is not None
    assert ("new files could be read by others" in facts.open_doors) is umask_is_open
    (tmp_path / "self" / "status").unlink()
    assert LinuxHost(proc=tmp_path).facts().open_doors is None


# --- looked at from outside, by another process of the same user --------------------------------

#: The interpreter may lie where nobody else can start it. Who changes user is closed by that
#: (PR_SET_DUMPABLE is 4), as a fresh process is not.
BECOME_NOBODY: Final = f"""
import ctypes, json, os, resource, sys
from pai_signer.adapters import hardening
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
"""
#: Waits closed, or as it began, with something worth reading in its memory.
CLOSED: Final = """
import resource, sys
from pai_signer.adapters import hardening
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if sys.argv[1] == "closed":
    hardening.harden()
held = bytearray(b"held-by-the-" + sys.argv[1].encode() + b"-process")
print("ready", flush=True)
sys.stdin.readline()
"""
#: What a debugger does: attach, read memory, read the environment and the open files.
LOOK: Final = """
import ctypes, json, os, sys
pid, told = int(sys.argv[1]), {}
for name in ("mem", "environ", "maps"):
    try:
        os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
        told[name] = True
    except PermissionError:
        told[name] = False
try:
    os.listdir(f"/proc/{pid}/fd")
    told["fd"] = True
except PermissionError:
    told["fd"] = False
libc = ctypes.CDLL(None, use_errno=True)
told["attach"] = libc.ptrace(16, pid, 0, 0) == 0  # PTRACE_ATTACH
if told["attach"]:
    os.waitpid(pid, 0x40000000)  # __WALL
    libc.ptrace(17, pid, 0, 0)  # PTRACE_DETACH
print(json.dumps(told))
"""


def as_nobody(*arguments: str) -> subprocess.Popen[str]:
    """Python as a user without any right, with a process as open as a fresh one of that user's."""
    return subprocess.Popen(
        [sys.executable, "-c", BECOME_NOBODY + arguments[0], *arguments[1:]],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("state", "is_open"), [("closed", False), ("open", True)])
def test_another_process_of_the_same_user_reads_nothing_of_it(state: str, is_open: bool) -> None:
    """The second case shows that the look itself works."""
    with as_nobody(CLOSED, state) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with as_nobody(LOOK, str(process.pid)) as debugger:
            said, error = debugger.communicate()
            assert debugger.returncode == 0, error
        told = json.loads(said)
        if is_open and not told["attach"]:  # Yama allows it to parents only
            del told["attach"]
        assert set(told.values()) == {is_open}, told
        process.communicate("\n")


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"),
    reason="core dumps go to a program here",
)
@pytest.mark.parametrize(("state", "dumps"), [("closed", False), ("open", True)])
def test_a_crash_leaves_no_core_dump(state: str, dumps: bool, tmp_path: Path) -> None:
    """In a folder where one can be written, and under a limit that allows it."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLOSED, state],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGSEGV
    process.communicate()
    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert os.WCOREDUMP(status) is dumps
    assert any(tmp_path.iterdir()) is dumps
