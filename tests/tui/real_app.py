"""The app over a real workstation, as ``__main__`` starts it, but with weak test keys.

    python -m tests.tui.real_app [--crash | --held-signing] VAULT [REHEARSAL]

``--crash`` makes the check of the OpenPGP passphrase fail like a bug, with the
passphrase among its local variables and in its message. ``--held-signing`` waits,
between journalling the intent and making the first signature, for a file called
``go`` beside the vault.
"""

import functools
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from pai_signer.adapters.environment import forget_environment
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.composition import harden_process, open_rehearsal, open_workbench
from pai_signer.domain.secret import Secret
from pai_signer.faces import start_app as start_module
from pai_signer.workflows.release.make_signatures import Visit
from tests.keys import WEAK_SCRYPT_LIMITS, weaken_openpgp

HELD_AT_MOST_S = 120.0


def _crash(_self: GpgKeys, _fingerprint: str, passphrase: Secret) -> NoReturn:
    revealed = passphrase.reveal().decode()
    raise RuntimeError(f"a bug, with {revealed} in its message")


def _held(make: Any, go: Path) -> Any:
    def held(visit: Visit) -> None:
        deadline = time.monotonic() + HELD_AT_MOST_S
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        make(visit)

    return held


def main(arguments: list[str]) -> int:
    """Run it; the exit code."""
    if "--crash" in arguments:
        GpgKeys.prove = _crash  # type: ignore[method-assign,assignment]
    for name, opening in (("open_workbench", open_workbench), ("open_rehearsal", open_rehearsal)):
        setattr(start_module, name, functools.partial(opening, limits=WEAK_SCRYPT_LIMITS))
    weaken_openpgp()
    vault, *rehearsal = (Path(a) for a in arguments if not a.startswith("--"))
    if "--held-signing" in arguments:
        Visit.make = _held(Visit.make, vault.parent / "go")  # type: ignore[method-assign]
    forget_environment()
    harden_process()
    return start_module.start_app(vault, rehearsal[0] if rehearsal else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
