"""``tests.cli.weak_program`` for a machine whose clock is moved by ``faketime``.

faketime works through the environment, which the program rightly keeps from its tools. Here
just those variables are let through, so that gpg lives at the same moment as the program.
"""

import os
import runpy
from typing import Any

import gnupg

from pai_signer.adapters import environment, process

if __name__ == "__main__":
    moved = {k: v for k, v in os.environ.items() if k == "LD_PRELOAD" or k.startswith("FAKETIME")}
    assert moved, "run it under faketime"
    vars(process)["_CLEAN_ENVIRONMENT"].update(moved)
    environment.KEPT.update(moved)
    begin = gnupg.GPG.__init__

    def begin_moved(self: gnupg.GPG, *given: Any, env: dict[str, str], **options: Any) -> None:
        begin(self, *given, env={**env, **moved}, **options)

    gnupg.GPG.__init__ = begin_moved
    runpy.run_module("tests.cli.weak_program", run_name="__main__")
