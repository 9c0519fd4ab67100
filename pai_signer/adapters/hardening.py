"""Closes the process against its surroundings: core dumps, debuggers, umask, swap (SEC-2).

prctl(2) PR_SET_DUMPABLE: 0 means no core dump and no ptrace by the same user. mlockall(2):
what is locked never reaches swap; ``MCL_ONFAULT`` locks each page when it is first used.
"""

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from pai_signer.adapters.binding import is_bound
from pai_signer.adapters.environment import loaders_at_start

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14
_PRIVATE_UMASK: Final = 0o077

_libc: Final = ctypes.CDLL(None, use_errno=True)


def harden() -> None:
    """Do it for this process and its children; cheap, and safe to repeat.

    Memory is locked only where that cannot make a later allocation fail: a locked process
    that runs into its limit could not hash a passphrase. Children lock their own.
    """
    os.umask(_PRIVATE_UMASK)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
    if _may_lock_all():
        # Not allowed after all (a sandbox): the state is read back and shown by ``check``.
        _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)


def open_doors(umask: int | None) -> tuple[str, ...]:
    """What of it does not hold, read back from the kernel; ``umask`` is as proc(5) shows it."""
    doors = []
    if _libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        doors.append("a debugger of the same user could read its memory")
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        doors.append("a crash could leave a core dump")
    if umask is None or umask & _PRIVATE_UMASK != _PRIVATE_UMASK:
        doors.append("new files could be read by others")
    if not is_bound():
        doors.append("functions are bound late: the end of a passphrase could stay on the stack")
    doors += [f"{name} was set: other code could be loaded" for name in loaders_at_start()]
    return tuple(doors)


def _may_lock_all() -> bool:
    """Whether no limit holds: with CAP_IPC_LOCK, as root has it, or ``ulimit -l unlimited``."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard == resource.RLIM_INFINITY:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return soft == resource.RLIM_INFINITY or bool(_capabilities() >> _CAP_IPC_LOCK & 1)


def _capabilities() -> int:
    """``CapEff`` of proc(5); none where that cannot be read."""
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("CapEff:")[2].split()[0], 16)
    return 0
