"""The jobs that carry a release, and the vault's own birth: init, import, sign, export."""

import functools
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pai_signer.composition import sources, verifiers
from pai_signer.domain.progress import Progress
from pai_signer.errors import EXIT_USAGE
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from tests import workstation
from tests.faults.harness import (
    TEMPORARY,
    FailingJob,
    Job,
    Stage,
    check_journal,
    contents,
    ends,
    opened,
)
from tests.faults.strace import STARTING
from tests.workstation import FOLDER, VERSION, Workstation

STAGED: Final = {
    "SHA256SUMS",
    "SHA256SUMS.asc",
    "SHA256SUMS.minisig",
    "pai-0.2.0-amd64.iso.minisig",
    "pai-0.2.0-arm64.iso.minisig",
    "receipt.json",
    "receipt.json.asc",
    "receipt.json.minisig",
    "receipt.txt",
    f"{VERSION}.bundle",
}


def check_as_downloaded(exported: Path) -> None:
    """As anyone would verify it, with the artifacts beside the signatures."""
    for image in workstation.IMAGES:
        shutil.copy(workstation.downloads() / image, exported)
    request = VerifyRequest(directory=exported, keys=exported / "keys")
    verify_release(request, sources(), verifiers(), Progress())


@functools.cache
def whole_export() -> dict[str, bytes]:
    """What an unharmed export writes, by path below the destination."""
    with TemporaryDirectory() as folder:
        here, out = workstation.workstation("signed", Path(folder)), Path(folder) / "out"
        out.mkdir()
        export_in_process(here, out)
        return {path.removeprefix(f"{out}/"): data for path, data in contents(out).items()}


def export_in_process(here: Workstation, out: Path) -> None:
    """``release export``, without a process of its own."""
    with opened(here) as bench:
        arguments = {"version": VERSION, "directory": str(out)}
        workstation.act(bench, "release.export", arguments, {})


def events(here: Workstation) -> list[str]:
    """The journal's events, in order; what a crash had left is settled before."""
    with opened(here) as bench:
        return [entry.event for entry in bench.journal.entries()]


class MakeVault(Job):
    """A vault is one from the last of its files on, and its journal says so (JRN-1)."""

    name = "init"
    sample = (("fsync", 5),)
    least = 30
    stages = frozenset({"no vault", "a vault"})

    def prepare(self, base: Path) -> Stage:
        here = Workstation(base / "vault")
        return Stage(base, here, here.command("init", "--maintainer", "Ada", "--email", "a@b.org"))

    def look(self, stage: Stage) -> str:
        if not (stage.here.vault / "vault.json").exists():
            return "no vault"
        check_journal(stage.here)
        return "a vault"

    def again(self, stage: Stage, found: str) -> None:
        if found == "no vault":
            ends(stage.command)
        else:
            assert "There is already a vault" in ends(stage.command, EXIT_USAGE)

    def check_end(self, stage: Stage, found: str) -> None:
        assert events(stage.here) == ["vault.created"]


class Import(Job):
    """The candidate and the commit: all that was read, or nothing (IMP-3, IMP-6)."""

    name = "import"
    least = 60
    also = (STARTING,)
    stages = frozenset({"nothing imported", "imported"})

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("keyed", base)
        kept = contents(workstation.downloads(), here.vault / "keys")
        return Stage(base, here, here.import_from(workstation.downloads()), kept)

    def look(self, stage: Stage) -> str:
        assert stage.before.items() <= _kept(stage).items()
        with opened(stage.here) as bench:
            if VERSION not in bench.releases.versions():
                return "nothing imported"
            if bench.releases.load_candidate(VERSION) is None:
                return "nothing imported"
            assert bench.candidate(VERSION).commit is not None
            return "imported"

    def check_end(self, stage: Stage, found: str) -> None:
        assert stage.before.items() <= _kept(stage).items()
        assert "release.imported" in events(stage.here)
        # What was imported can be signed: nothing of it is missing, the commit neither.
        ends(stage.here.sign())


def _kept(stage: Stage) -> dict[str, bytes]:
    return contents(workstation.downloads(), stage.here.vault / "keys")


class Sign(FailingJob):
    """Every signature of a visit, or none (SIG-6)."""

    name = "sign"
    sample = (("renameat2", 8),)
    least = 100
    stages = frozenset({"nothing staged", "was complete"})
    success = (f"Receipt: {VERSION}", "Next: export it")

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("imported", base)
        return Stage(base, here, here.sign(), self._kept(here))

    @staticmethod
    def _kept(here: Workstation) -> dict[str, bytes]:
        keys = here.vault / "keys"
        kept = contents(keys / "minisign", keys / "registry", workstation.downloads())
        candidate = here.vault / "releases" / VERSION / "candidate.json"
        return {**kept, str(candidate): candidate.read_bytes()}

    @staticmethod
    def _staging(stage: Stage) -> Path:
        return stage.here.vault / "releases" / VERSION / "staging"

    def is_whole(self, stage: Stage) -> bool:
        names = {Path(path).name for path in contents(self._staging(stage))}
        assert names in (set(), STAGED), names
        assert self._kept(stage.here) == stage.before
        return bool(names)

    def look(self, stage: Stage) -> str:
        return "was complete" if self.is_whole(stage) else "nothing staged"

    def again(self, stage: Stage, found: str) -> None:
        staged = contents(self._staging(stage))
        complaint = ends(stage.command, 0, EXIT_USAGE)
        assert not complaint or "IMP-7/nothing-unsigned" in complaint
        assert staged.items() <= contents(self._staging(stage)).items()

    def check_end(self, stage: Stage, found: str) -> None:
        assert self.is_whole(stage)
        export_in_process(stage.here, stage.out)
        check_as_downloaded(stage.out / FOLDER)


class Export(FailingJob):
    """Every file that stands under its name is whole (EXP-2)."""

    name = "export"
    sample = (("renameat2", 2),)
    least = 100
    stages = frozenset({"nothing there", "whole files there", "was complete"})
    success = (f"Exported {VERSION}", "Next: follow UPLOAD.md")

    def prepare(self, base: Path) -> Stage:
        here = workstation.workstation("signed", base)
        return Stage(base, here, here.export(base / "out"), contents(here.vault / "releases"))

    def _standing(self, stage: Stage) -> dict[str, bytes]:
        assert contents(stage.here.vault / "releases") == stage.before
        there = contents(stage.out).items()
        found = {p.removeprefix(f"{stage.out}/"): data for p, data in there if TEMPORARY not in p}
        assert found.items() <= whole_export().items()
        return found

    def is_whole(self, stage: Stage) -> bool:
        return len(self._standing(stage)) == len(whole_export())

    def look(self, stage: Stage) -> str:
        if self.is_whole(stage):
            return "was complete"
        return "whole files there" if self._standing(stage) else "nothing there"

    def check_end(self, stage: Stage, found: str) -> None:
        assert self.is_whole(stage)
        check_as_downloaded(stage.out / FOLDER)
