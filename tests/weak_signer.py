"""``pai-signer`` as it is, but for weak test keys and loop media: the entry of fault tests.

    python -m tests.weak_signer COMMAND...

The installed command refuses the cheap passphrase hashing of ``tests/keys.py`` and its weak
passphrases, and hides loop devices, all rightly. Nothing else differs: the same command line, the
same workflows, the same adapters.
"""

import functools
import os
from typing import Final

from pai_signer.__main__ import main
from pai_signer.adapters.media import SystemMedia
from pai_signer.composition import open_workbench
from pai_signer.faces.cli import session
from tests.keys import WEAK_SCRYPT_LIMITS, LenientPassphrases, weaken_openpgp

#: Set to see loop devices as removable media; unmounting them then works.
LOOP_MEDIA: Final = "PAI_TEST_LOOP_MEDIA"

if __name__ == "__main__":
    media = SystemMedia(include_loop=True) if os.environ.get(LOOP_MEDIA) else None
    weak = functools.partial(
        open_workbench,
        limits=WEAK_SCRYPT_LIMITS,
        media=media,
        passphrases=LenientPassphrases(),
    )
    vars(session)["open_workbench"] = weak
    weaken_openpgp()
    main()
