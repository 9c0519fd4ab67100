"""The jobs of custody: a backup is written and proved, a vault is restored from one."""

import functools
import tempfile
from pathlib import Path
from typing import Final

from pai_signer.domain.backup import BACKUP_MANIFEST_NAME, COPIES
from pai_signer.domain.custody import BACKUP_CREATED, BACKUP_PROVED, CUSTODY_RESTORED
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import RegisteredKey
from pai_signer.errors import EXIT_REFUSED
from pai_signer.ports import FoundSet
from pai_signer.workflows.custody.restorable import read_sets, restorable
from tests import workstation
from tests.faults.harness import TEMPORARY, Job, Stage, contents, ends, leftovers, opened
from tests.faults.key_jobs import keys_of, secret_files
from tests.faults.release_jobs import events
from tests.faults.strace import STARTING
from tests.workstation import Workstation

CUSTODIAN: Final = "Anna"


@functools.cache
def backed_up() -> tuple[RegisteredKey, RegisteredKey]:
    """The keys on the prepared medium, as the paper card names them."""
    with tempfile.TemporaryDirectory() as folder:
        here = workstation.workstation("keyed", Path(folder))
        minisign, openpgp = keys_of(here, "minisign", "gpg").registered
    return minisign, openpgp


def sets_of(here: Workstation, medium: Path) -> tuple[FoundSet, ...]:
    """The sets on a medium, as the program reads them."""
    with opened(here) as bench:
        return tuple(read_sets(bench, str(medium), Progress())) if any(medium.iterdir()) else ()


class CreateBackup(Job):
    """A set counts from its entry in the journal on, and then all of it is there (CUS-1)."""

    name = "backup create"
    points = 60
    least = 300
    also = (STARTING,)
    stages = frozenset({"no set", "part of a set", "went on to its proof"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("keyed", base)
        command = here.backup("create", CUSTODIAN, base / "out")
        return Stage(base, here, command, contents(here.vault / "keys" / "registry"))

    def look(self, stage: Stage) -> str:
        self._check_vault(stage)
        told = events(stage.here).count(BACKUP_CREATED)
        sets = sets_of(stage.here, stage.out)
        assert told <= len(sets) <= 1
        for found in sets:
            for copy in found.copies.values():
                # What has a temporary name yet is on nobody's list.
                assert TEMPORARY.encode() not in copy.files.get(BACKUP_MANIFEST_NAME, b"")
        with opened(stage.here) as bench:
            cut_short = bench.ledger().cut_short
        if not told:
            # A set of which something lies there is told by the ledger.
            assert {one.set_number for one in cut_short} >= {found.number for found in sets}
            return "part of a set" if sets else "no set"
        assert cut_short == ()
        self._check_whole(stage, sets[0])
        if events(stage.here).count(BACKUP_PROVED) == 2 and not _unfinished(stage.here):
            return "was complete"
        return "went on to its proof"

    def again(self, stage: Stage, found: str) -> None:
        if found != "was complete":  # asked for again, it would be another backup
            ends(stage.command)

    def check_end(self, stage: Stage, found: str) -> None:
        self._check_vault(stage)
        told = events(stage.here)
        assert told.count(BACKUP_CREATED) == 1
        assert BACKUP_PROVED in told
        assert not _unfinished(stage.here)
        self._check_whole(stage, sets_of(stage.here, stage.out)[0])
        # Proved again from what lies there, a set that was cut short beside it or not.
        ends(stage.here.backup("verify", CUSTODIAN, stage.out))

    @staticmethod
    def _check_vault(stage: Stage) -> None:
        assert contents(stage.here.vault / "keys" / "registry") == stage.before

    @staticmethod
    def _check_whole(stage: Stage, found: FoundSet) -> None:
        with opened(stage.here) as bench:
            assert restorable(bench, found).damaged == ()
        assert set(found.copies) == set(COPIES)

    def left(self, stage: Stage) -> list[Path]:
        """A set that was cut short stays on the medium as it is, and is told from a whole one."""
        whole = sets_of(stage.here, stage.out)[0].copies.values()
        places = (stage.here.vault, *(stage.out / copy.folder for copy in whole))
        return [path for place in places for path in leftovers(place)]


def _unfinished(here: Workstation) -> tuple[str, ...]:
    with opened(here) as bench:
        return bench.states.names()


class Restore(Job):
    """A new vault takes over keys, journal and registry, or it can still be restored (CUS-4)."""

    name = "backup restore"
    points = 60
    least = 200
    also = (STARTING,)
    stages = frozenset({"no key yet", "keys, not registered", "went on to its end"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("new", base)
        medium, (minisign, openpgp) = workstation.backup_medium(), backed_up()
        paper = ("--fingerprint", openpgp.id, "--minisign-key", minisign.public_key)
        secrets = ("--passphrase-fd=custodian=6", "--passphrase-fd=custodian-gpg=7")
        command = here.command("backup", "restore", medium, *paper, *secrets)
        return Stage(base, here, command, ({minisign.id, openpgp.id}, contents(medium)))

    def look(self, stage: Stage) -> str:
        wanted, on_medium = stage.before
        assert contents(workstation.backup_medium()) == on_medium
        keys = keys_of(stage.here, "minisign", "gpg")
        assert keys.in_vault <= wanted
        assert set(keys.ids) in (set(), wanted)
        if keys.ids:
            assert keys.whole == wanted
            return "went on to its end" if keys.unfinished else "was complete"
        return "keys, not registered" if keys.whole else "no key yet"

    def again(self, stage: Stage, found: str) -> None:
        if found == "was complete":
            before = secret_files(stage.here)
            assert "CUS-4/not-new" in ends(stage.command, EXIT_REFUSED)
            assert secret_files(stage.here) == before
        else:
            ends(stage.command)

    def check_end(self, stage: Stage, found: str) -> None:
        wanted, on_medium = stage.before
        assert contents(workstation.backup_medium()) == on_medium
        keys = keys_of(stage.here, "minisign", "gpg")
        assert set(keys.ids) == keys.in_vault == keys.whole == wanted
        assert keys.events.count(CUSTODY_RESTORED) == 1
        assert not keys.unfinished
        assert not (stage.here.vault / "journal.incoming").exists()
