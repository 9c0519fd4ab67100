"""The traps of this field about keys, the tests that hold each, and the guards that they test.

A guard is a place in the code: ``tests/faults/test_trap_guards.py`` takes it out and sees the
named tests fail. ``tests/test_traps.py`` keeps the tables true in every run. Each file has the
traps of one tool.
"""

from typing import Final

from tests.traps.gpg import GPG
from tests.traps.gpg_backup import GPG_BACKUP
from tests.traps.media import MEDIA
from tests.traps.minisign import MINISIGN
from tests.traps.python import PYTHON
from tests.traps.table import Guard, Trap
from tests.traps.textual import TEXTUAL

__all__ = ["TRAPS", "Guard", "Trap"]

TRAPS: Final = (*MINISIGN, *GPG, *GPG_BACKUP, *MEDIA, *TEXTUAL, *PYTHON)
