"""What the program does with a stick in the guest, and what has to be there for it."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests import workstation
from tests.vm.kernel import JOB, MOUNT_POINT
from tests.workstation import Workstation

#: Where the guest keeps its vault.
VAULT: Final = Path("/tmp/vault")
_HERE: Final = Workstation(VAULT)
_WRITTEN: Final = re.compile(r"WRITTEN (\S+) \d+ ([0-9a-f]{64})")

#: Shell: the downloads on the mounted stick.
FILL: Final = f"cp {JOB}/downloads/* {MOUNT_POINT}\n"


@dataclass(frozen=True)
class Job:
    """One command of the program, and the stage of the vault that it begins with."""

    name: str
    stage: Literal["keyed", "signed"]
    line: list[str]

    def __str__(self) -> str:
        return self.name

    @property
    def command(self) -> list[str]:
        """Its arguments, without the interpreter and the module."""
        return self.line[self.line.index("--vault") :]

    @property
    def fresh_vault(self) -> str:
        """Shell: the vault as it stands before."""
        return f"rm -rf {VAULT}; cp -r {JOB}/{self.stage}/vault {VAULT}\n"


IMPORT: Final = Job("import", "keyed", _HERE.import_from(MOUNT_POINT))
EXPORT: Final = Job("export", "signed", _HERE.export(MOUNT_POINT))
BACKUP: Final = Job("backup", "keyed", _HERE.backup("create", "Anna", MOUNT_POINT))
VERIFY: Final = Job("verify", "keyed", _HERE.backup("verify", "Anna", MOUNT_POINT))


def prepare(folder: Path) -> Path:
    """The folder that the guest sees at ``JOB``: vaults of both stages, and downloads."""
    for stage in ("keyed", "signed"):
        (folder / stage).mkdir()
        workstation.workstation(stage, folder / stage)
    shutil.copytree(workstation.downloads(), folder / "downloads")
    return folder


def written(said: str) -> list[tuple[str, str]]:
    """Path and SHA-256 of each file that was said to last, in that order."""
    return _WRITTEN.findall(said)


def wanted(variable: str, default: int) -> int:
    """A count from the environment; make hands on an empty one where none was given."""
    return int(os.environ.get(variable) or default)


def spread(count: int, last: int) -> list[int]:
    """``count`` numbers from 1 to ``last``, evenly; all of them if there are not so many."""
    if count >= last:
        return list(range(1, last + 1))
    return [1 + (last - 1) * number // max(1, count - 1) for number in range(count)]
