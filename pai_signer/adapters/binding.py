"""Starts the program with every library function bound, so that none is bound later (SEC-2).

By default ld.so(8) binds a function of the interpreter when it is first called, and keeps the
vector registers on the stack meanwhile. What was copied last stands in them: the end of a
passphrase, as memcpy(3) leaves it. Nobody wipes that place. ``LD_BIND_NOW`` has the loader bind all
at the start, which it reads only then: so the program begins once more, in the same process.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

#: Read by ld.so(8) of glibc; musl always does so.
BIND_NOW: Final = "LD_BIND_NOW"
#: The interpreter that runs, proc(5). ``sys.executable`` is what some variables say it is.
_INTERPRETER: Final = "/proc/self/exe"

_bound_at_start: Final = sys.platform != "linux" or bool(os.environ.get(BIND_NOW))


def is_bound() -> bool:
    """Whether the loader was asked to bind all of it; where that is not Linux, nobody asks."""
    return _bound_at_start


def begin_bound(environ: Mapping[str, str] = os.environ) -> None:
    """Begin once more with the same arguments, environment and descriptors; at once if need not be.

    To be called before anything is done. Where the system refuses, the program goes on, and
    ``check`` tells of it.
    """
    if not is_bound():
        with suppress(OSError):
            # By the first argument the interpreter finds its environment, as it did before.
            os.execve(  # noqa: S606 - no shell: the interpreter that runs, its own arguments
                _INTERPRETER, sys.orig_argv, {**environ, BIND_NOW: "1"}
            )
