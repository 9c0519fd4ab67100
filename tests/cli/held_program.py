"""``tests.cli.weak_program`` that stops itself after its last act, so that its memory can be read.

It holds ``CONTROL`` as a passphrase is held: whoever reads the memory must find that.
"""

import os
import runpy
import signal
from typing import Final

CONTROL: Final = b"held-on-purpose-and-never-wiped"

if __name__ == "__main__":
    try:
        runpy.run_module("tests.cli.weak_program", run_name="__main__")
    finally:
        os.kill(os.getpid(), signal.SIGSTOP)
