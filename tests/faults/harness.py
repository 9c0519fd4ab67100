"""Any command of the program under faults, at every system call it makes (SIG-6, EXP-2, JRN-1).

A ``Job`` is a declaration: what is there before, the command, and what may be there after it.
Everything that holds for all of them is asserted here, once.

kill -9 (``killed``): what a killed run leaves is old or new, what it saved can be read, the journal
verifies, nothing secret lies anywhere in the clear; the same command then ends, as if nothing
had been, with no temporary file left. Errors of a medium (``failed``): success is shown only
where all is there, else the exit code is 5, no temporary name is shown, and a second try
completes.

A sample by default; with ``PAI_FAULTS=all`` (``make fault-test``) the sweep. Every try has a
workstation of its own, and two are made side by side.
"""

import base64
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, ClassVar, Final, TypeVar

from pai_signer.composition import open_workbench
from pai_signer.domain.openpgp_secret import parse_secret_key
from pai_signer.errors import EXIT_CANNOT_TELL
from pai_signer.workflows.workbench import Workbench
from tests import workstation
from tests.faults.strace import KILLED, Call, record, strike
from tests.keys import CUSTODIAN_PASSPHRASES, WEAK_PASSPHRASE, WEAK_SCRYPT_LIMITS
from tests.workstation import Workstation

ALL: Final = os.environ.get("PAI_FAULTS") == "all"
TEMPORARY: Final = ".pai-signer-"
NOT_REACHED: Final = "not reached"

_MEMORY: Final = Path("/dev/shm")
_SECRETS: Final = (WEAK_PASSPHRASE, *CUSTODIAN_PASSPHRASES)

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """One try's workstation, the command that is struck, and what there was before."""

    base: Path
    here: Workstation
    command: list[str]
    #: Of the job's own, to compare with afterwards.
    before: Any = None

    @property
    def out(self) -> Path:
        """Where media stand: the command may write there as well as in the vault."""
        return self.base / "out"


class Job(ABC):
    """One command of the program, and what may be found after it was struck."""

    name: ClassVar[str]
    #: Struck by default, without a recording: the n-th call of a name; empty: in the sweep only.
    sample: ClassVar[tuple[tuple[str, int], ...]] = ()
    #: How many points the sweep strikes; None: every one that is recorded.
    points: ClassVar[int | None] = None
    #: Fewer calls than these are recorded only if the tracing sees no longer what it should.
    least: ClassVar[int]
    #: Calls that count wherever they are, see ``record``.
    also: ClassVar[tuple[str, ...]] = ()
    #: What a sweep has to have found at least once.
    stages: ClassVar[frozenset[str]] = frozenset()

    def __str__(self) -> str:
        return self.name

    @abstractmethod
    def prepare(self, base: Path) -> Stage:
        """A workstation below ``base``, which is empty but for ``out``."""

    @abstractmethod
    def look(self, stage: Stage) -> str:
        """Name what the kill left, right after it; fails for anything between old and new."""

    def again(self, stage: Stage, found: str) -> None:
        """Start the same command once more: it recovers, or explains."""
        ends(stage.command)

    @abstractmethod
    def check_end(self, stage: Stage, found: str) -> None:
        """Fail unless everything is there now, once."""

    def left(self, stage: Stage) -> list[Path]:
        """Temporary files that should be gone in the end."""
        return leftovers(stage.base)


def staged(job: Job, base: Path) -> Stage:
    """``job`` prepared below ``base``."""
    (base / "out").mkdir(parents=True)
    return job.prepare(base)


def calls_of(job: Job) -> list[Call]:
    """What an unharmed run of ``job`` does to the vault and its media."""
    with TemporaryDirectory(prefix="pai-record-") as folder:
        stage = staged(job, Path(folder))
        calls = record(stage.command, stage.here.vault, stage.out, also=job.also)
    assert len(calls) >= job.least, len(calls)
    return calls


# --- kill -9 ------------------------------------------------------------------------------


def killed(job: Job, call: Call, base: Path) -> str:
    """Kill ``job`` at ``call``; returns how it went on."""
    stage = staged(job, base)
    with memory_cleared(base):
        done = strike(stage.command, call, "signal=KILL")
    if done.returncode != KILLED:
        assert done.returncode == 0, done.stderr
        return NOT_REACHED
    check_nothing_in_the_clear(base)
    for state in (stage.here.vault / "unfinished").glob("[!.]*"):
        json.loads(state.read_bytes())
    found = job.look(stage)
    check_journal(stage.here)
    job.again(stage, found)
    check_journal(stage.here)
    job.check_end(stage, found)
    assert job.left(stage) == []
    check_nothing_in_the_clear(base)
    return found


@contextmanager
def memory_cleared(base: Path) -> Iterator[None]:
    """Look at the homes in memory that a killed program leaves, then remove them with their agents.

    Homes of others, which may be running side by side, are left alone: ours belong to a dead one.
    """
    before = set(_MEMORY.glob("pai-*"))
    yield
    for folder in set(_MEMORY.glob("pai-*")) - before:
        process = folder.name.split("-")[1]
        if process.isdecimal() and not Path("/proc", process).exists():
            check_nothing_in_the_clear(folder)
            shutil.rmtree(folder, ignore_errors=True)


def check_nothing_in_the_clear(folder: Path) -> None:
    """No passphrase, and no secret key that is not encrypted, in any file below (SEC-2)."""
    # os.walk, for a folder may vanish meanwhile: a try at its side clears the memory too.
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    for path in sorted(found):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # gpg or git runs on for a moment
            continue
        for secret in _SECRETS:
            assert secret not in data, path
        if data.startswith(b"untrusted comment: minisign encrypted secret key"):
            packet = base64.b64decode(data.splitlines()[1])
            assert packet[2:4] == b"Sc", path  # 0000 where it is open, minisign(1)
        if path.parent.name == "private-keys-v1.d":
            assert b"(11:private-key" not in data, path  # agent/keyformat.txt of GnuPG
            assert not data or b"protected-private-key" in data, path
        if b"-----BEGIN PGP PRIVATE KEY BLOCK-----" in data:
            parse_secret_key(data)  # refuses a part that is open


# --- errors of a medium -------------------------------------------------------------------


class FailingJob(Job):
    """A job that can also be struck by an error."""

    #: What the program says where it ended well.
    success: ClassVar[tuple[str, ...]]

    @abstractmethod
    def is_whole(self, stage: Stage) -> bool:
        """Whether all is there; fails if anything stands there that is half of something."""


def failed(job: FailingJob, call: Call, error: str, how_long: str, base: Path) -> str:
    """Let ``call`` fail; returns how ``job`` took it."""
    stage = staged(job, base)
    done = strike(stage.command, call, f"error={error}", how_long)
    if not done.landed:
        assert done.returncode == 0, done.stderr
        return NOT_REACHED
    shown = done.stdout + done.stderr
    assert TEMPORARY not in shown, shown
    whole = job.is_whole(stage)
    check_nothing_in_the_clear(base)
    if done.returncode == 0:
        assert whole, shown
        assert all(text in shown for text in job.success), shown
        found = "done all the same"
    else:
        assert done.returncode == EXIT_CANNOT_TELL, (done.returncode, shown)
        assert "What to do next" in done.stderr
        for text in (*job.success, "safe to remove"):
            assert text not in shown, shown
        found = "said so, all there" if whole else "said so, nothing or whole files there"
    check_journal(stage.here)
    # What failed can be tried again, and then it is whole.
    job.again(stage, "whole" if whole else "")
    assert job.is_whole(stage)
    check_journal(stage.here)
    assert leftovers(base) == []
    return found


# --- trying -------------------------------------------------------------------------------


def tried_at_each(
    what: str, points: Sequence[T], attempt: Callable[[T, Path], str]
) -> Counter[str]:
    """Try every point, two side by side; how often it ended in which way, printed as well."""
    failures: list[str] = []
    began_at_s = monotonic()

    def at(point: T) -> str:
        with TemporaryDirectory(prefix="pai-fault-", ignore_cleanup_errors=True) as base:
            try:
                return attempt(point, Path(base))
            except Exception as error:  # noqa: BLE001 - every point is tried, then all are told
                failures.append(f"{point}\n    {type(error).__name__}: {error}")
                print(f"FAILED in {what}: {failures[-1]}", flush=True)  # a sweep takes long
                return "FAILED"

    with ThreadPoolExecutor(2) as pool:
        outcomes = Counter(pool.map(at, points))
    figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{what}: {len(points)} points: {figures}; {monotonic() - began_at_s:.0f} s", flush=True)
    assert not failures, "\n".join(failures)
    assert outcomes[NOT_REACHED] <= len(points) // 20
    return outcomes


# --- looking ------------------------------------------------------------------------------


@contextmanager
def opened(here: Workstation) -> Iterator[Workbench]:
    """The vault, opened as the program does: what a crash had left is settled."""
    with open_workbench(here.vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        yield bench


def check_journal(here: Workstation) -> None:
    """The chain holds, and it ends where the heads in the vault say (JRN-2)."""
    if (here.vault / "vault.json").exists():
        with opened(here) as bench:
            workstation.act(bench, "journal.verify", {}, {})


def contents(*folders: Path) -> dict[str, bytes]:
    """Every file below the folders by its path."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def leftovers(folder: Path) -> list[Path]:
    """Temporary files of the program."""
    return list(folder.rglob(f"{TEMPORARY}*"))


def ends(command: list[str], *codes: int) -> str:
    """Run it to an exit code of ``codes``, 0 unless told; its standard error."""
    done = workstation.run(command)
    assert done.returncode in (codes or (0,)), (done.returncode, done.stdout, done.stderr)
    return done.stderr
