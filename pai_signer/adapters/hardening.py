"""Closes the process against its surroundings: core dumps, debuggers, umask (SEC-2).

prctl(2) PR_SET_DUMPABLE: 0 means no core dump and no ptrace by the same user.
"""

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def harden() -> None:
    """Do it for this process and its children; cheap, and safe to repeat."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
