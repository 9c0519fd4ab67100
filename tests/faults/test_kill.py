"""kill -9 at any system call of whatever writes something that lasts.

Releases (IMP-3, SIG-6, EXP-2), keys and their registry (KEY-1, KEY-3, KEY-4, KEY-5), backups
(CUS-1, CUS-4), the journal of each (JRN-1), and what a ceremony saves on its way (FACE-3).

A sample by default. With ``PAI_FAULTS=all`` (``make fault-test``) at every call that changes the
vault or a medium, or spread over those of the longer jobs, and at the starts of other programs,
which is where gpg or git has just finished something.
"""

from pathlib import Path
from typing import Final

import pytest

from tests import workstation
from tests.faults.custody_jobs import CreateBackup, Restore
from tests.faults.harness import ALL, NOT_REACHED, Job, calls_of, ends, killed, tried_at_each
from tests.faults.key_jobs import Extend, Generate, Revoke, RotateMinisign, RotateOpenPgp
from tests.faults.release_jobs import Export, Import, MakeVault, Sign
from tests.faults.strace import Call, spread
from tests.workstation import VERSION

JOBS: Final[tuple[Job, ...]] = (
    MakeVault(),
    Import(),
    Sign(),
    Export(),
    CreateBackup(),
    Restore(),
    Generate(),
    Extend(),
    Revoke(),
    RotateMinisign(),
    RotateOpenPgp(),
)


#: By default a few jobs stand for all: the vault's birth, both ends of a release, one ceremony.
STRUCK: Final = JOBS if ALL else tuple(job for job in JOBS if job.sample)


@pytest.mark.parametrize("job", STRUCK, ids=str)
def test_a_kill_leaves_nothing_half_done(job: Job) -> None:
    if ALL:
        points = spread(calls_of(job), job.points)
    else:
        points = [Call(name, nth, "of the sample") for name, nth in job.sample]
    outcomes = tried_at_each(
        f"kill -9 in {job.name}", points, lambda call, base: killed(job, call, base)
    )
    if ALL:  # every stage was struck
        assert set(outcomes) >= job.stages
    else:
        assert NOT_REACHED not in outcomes


def test_a_git_that_died_with_the_program_does_not_lock_the_tag(tmp_path: Path) -> None:
    """A power cut ends git too, and leaves the lock that it held on the tag."""
    here = workstation.workstation("imported", tmp_path)
    lock = here.vault / "repo.git" / "refs" / "tags" / f"{VERSION}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    ends(here.sign())
    assert (here.vault / "releases" / VERSION / "staging" / f"{VERSION}.bundle").exists()
