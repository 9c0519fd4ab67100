"""Every socket and every program of a process and its children, as the kernel was asked for them.

strace(1) with ``--seccomp-bpf`` stops a process at the calls that are asked for and at no other,
so that a whole rehearsal can be traced. Sockets can also be had by io_uring, which is counted.
"""

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

#: All that the program may open: a pipe of its own, gpg's agent, and the list of interfaces.
LOCAL: Final = {"AF_UNIX", "AF_NETLINK"}

_CALLS: Final = "socket,socketpair,io_uring_setup,execve"
_SOCKET: Final = re.compile(r" socket(?:pair)?\((\w+), ")
_PROGRAM: Final = re.compile(r' execve\("([^"]+)".* = 0$')

needs_strace: Final = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed"
)


@dataclass(frozen=True)
class Trace:
    """What was asked for: sockets by address family, and the programs that were started."""

    families: Counter[str]
    programs: Counter[str]
    rings: int
    processes: int


def tracing(log: Path) -> list[str]:
    """The beginning of a command that is to be traced into ``log``."""
    quiet = ("-qqq", "-e", "signal=none")
    return ["strace", "-f", "--seccomp-bpf", *quiet, "-e", f"trace={_CALLS}", "-o", str(log)]


def read_trace(log: Path) -> Trace:
    """Of a command that came to its end. A call that is shown in two parts is told by its first."""
    lines = log.read_text().splitlines()
    families = Counter(found[1] for line in lines if (found := _SOCKET.search(line)))
    # Every call is accounted for: one in another form must not pass unseen.
    begun = [line for line in lines if " resumed>" not in line.partition("(")[0]]
    assert sum(families.values()) == sum(" socket" in line.partition("(")[0] for line in begun)
    return Trace(
        families=families,
        programs=Counter(Path(p[1]).name for line in lines if (p := _PROGRAM.search(line))),
        rings=sum("io_uring_setup(" in line for line in lines),
        processes=len({line.split()[0] for line in lines}),
    )


def assert_local(trace: Trace, *programs: str) -> None:
    """No internet socket by any process; ``programs`` have to be among those that ran."""
    assert set(programs) <= set(trace.programs)
    assert trace.processes > len(programs)
    assert set(trace.families) == LOCAL
    assert trace.rings == 0
