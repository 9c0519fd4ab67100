"""``pai-signer`` with weak passphrases, weakly hashed, for vaults of ``tests.workflows.bench``.

Run as a script: nothing else differs from the installed program. A first argument
``--fault MODULE:FUNCTION`` makes that function fail with a bug, whose text and
local variables hold a canary. ``PAI_TEST_STICKS`` names a folder whose folders play removable
media, each with a UUID and a serial by its name.
"""

import functools
import importlib
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from pai_signer.__main__ import main
from pai_signer.composition import open_rehearsal, open_workbench
from pai_signer.faces.cli import rehearsal, session
from tests.keys import WEAK_SCRYPT_LIMITS, LenientPassphrases, weaken_openpgp
from tests.workflows.backups import FakeMedia

#: Where folders that play media are, if there are any.
STICKS: Final = "PAI_TEST_STICKS"
#: An argument: new passphrases are judged as the installed program does.
STRICT = "--strict"
CANARY = "canary-in-a-local-variable"


def _plant(place: str) -> None:
    module_name, _, path = place.partition(":")
    owner: object = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)

    def broken(*arguments: object, **options: object) -> NoReturn:
        local = CANARY
        raise ZeroDivisionError(f"{local} {arguments} {options}")

    setattr(owner, name, broken)


def _sticks() -> FakeMedia | None:
    folder = os.environ.get(STICKS)
    if folder is None:
        return None
    media = FakeMedia()
    for path in sorted(Path(folder).iterdir()):
        media.plug_in(path)
    return media


if __name__ == "__main__":
    judge = None if STRICT in sys.argv else LenientPassphrases()
    weak = functools.partial(
        open_workbench, limits=WEAK_SCRYPT_LIMITS, passphrases=judge, media=_sticks()
    )
    sys.argv = [argument for argument in sys.argv if argument != STRICT]
    vars(session)["open_workbench"] = weak
    weak_rehearsal = functools.partial(open_rehearsal, limits=WEAK_SCRYPT_LIMITS)
    vars(rehearsal)["open_rehearsal"] = weak_rehearsal
    weaken_openpgp()
    if sys.argv[1:2] == ["--fault"]:
        _plant(sys.argv[2])
        del sys.argv[1:3]
    main()
