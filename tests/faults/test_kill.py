"""kill -9 at any system call of sign and export (SIG-6, EXP-2, JRN-1).

A sample by default; with ``PAI_FAULTS=all`` (``make fault-test``) at every call that
changes something, two side by side.
"""

import functools
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

import pytest

from pai_signer.composition import open_workbench, sources, verifiers
from pai_signer.domain.progress import Progress
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from tests import workstation
from tests.faults.strace import Call, record, spread, strike
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.workstation import FOLDER, VERSION

ALL: Final = os.environ.get("PAI_FAULTS") == "all"
SAMPLE: Final = {"sign": 6, "export": 8}
LEAST_POINTS: Final = 100
KILLED: Final = -9
TEMPORARY: Final = ".pai-signer-"
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


def contents(*folders: Path) -> dict[str, bytes]:
    """Every file below the folders by its path."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{TEMPORARY}*"))


def ends(command: list[str], *codes: int) -> str:
    """Run it to an exit code of ``codes``, 0 unless told; its standard error."""
    done = workstation.run(command)
    assert done.returncode in (codes or (0,)), (done.returncode, done.stdout, done.stderr)
    return done.stderr


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
        with open_workbench(here.vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
            arguments = {"version": VERSION, "directory": str(out)}
            workstation.act(bench, "release.export", arguments, {})
        return {path.removeprefix(f"{out}/"): data for path, data in contents(out).items()}


def survive_in_sign(call: Call, base: Path) -> str:
    """Kill a signing at ``call``; returns how it went on."""
    here = workstation.workstation("imported", base)
    out = base / "out"
    out.mkdir()
    release = here.vault / "releases" / VERSION
    kept = (
        here.vault / "keys" / "minisign",
        here.vault / "keys" / "registry",
        workstation.downloads(),
    )
    before = contents(*kept), (release / "candidate.json").read_bytes()
    done = strike(here.sign(), call, "signal=KILL")
    if done.returncode != KILLED:
        assert done.returncode == 0, done.stderr
        return "not reached"

    staged = contents(release / "staging")
    assert {Path(path).name for path in staged} in (set(), STAGED)
    assert (contents(*kept), (release / "candidate.json").read_bytes()) == before
    for state in (here.vault / "unfinished").glob("[!.]*"):
        json.loads(state.read_bytes())

    ends(here.verify_journal())
    complaint = ends(here.sign(), 0, 2)
    assert not complaint or "IMP-7/nothing-unsigned" in complaint
    if staged:
        assert contents(release / "staging") == staged
    assert {path.name for path in (release / "staging").iterdir()} == STAGED
    ends(here.export(out))
    ends(here.verify_journal())
    check_as_downloaded(out / FOLDER)
    assert leftovers(base) == []
    return "was complete" if complaint else "signed anew"


def survive_in_export(call: Call, base: Path) -> str:
    """Kill an export at ``call``; returns how it went on."""
    here = workstation.workstation("signed", base)
    out = base / "out"
    out.mkdir()
    signed = contents(here.vault / "releases")
    done = strike(here.export(out), call, "signal=KILL")
    if done.returncode != KILLED:
        assert done.returncode == 0, done.stderr
        return "not reached"

    wanted = {str(out / name): data for name, data in whole_export().items()}
    standing = {path: data for path, data in contents(out).items() if TEMPORARY not in path}
    assert standing.items() <= wanted.items()
    assert contents(here.vault / "releases") == signed

    ends(here.verify_journal())
    ends(here.export(out))
    ends(here.verify_journal())
    assert contents(out) == wanted
    check_as_downloaded(out / FOLDER)
    assert leftovers(base) == []
    if len(standing) == len(wanted):
        return "was complete"
    return "completed" if standing else "written anew"


def test_a_git_that_died_with_the_program_does_not_lock_the_tag(tmp_path: Path) -> None:
    """A power cut ends git too, and leaves the lock that it held on the tag."""
    here = workstation.workstation("imported", tmp_path)
    lock = here.vault / "repo.git" / "refs" / "tags" / f"{VERSION}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    ends(here.sign())
    assert (here.vault / "releases" / VERSION / "staging" / f"{VERSION}.bundle").exists()


def killed_at_each(
    job: str, points: Sequence[Call], survive: Callable[[Call, Path], str]
) -> Counter[str]:
    """Try every point, two side by side; how often it went on in which way, printed as well."""
    failed: list[str] = []
    began_at_s = monotonic()

    def at(call: Call) -> str:
        with TemporaryDirectory(prefix="pai-kill-") as base:
            try:
                return survive(call, Path(base))
            except Exception as error:  # noqa: BLE001 - every point is tried, then all are told
                failed.append(f"{call}\n    {type(error).__name__}: {error}")
                return "FAILED"

    with ThreadPoolExecutor(2) as pool:
        outcomes = Counter(pool.map(at, points))
    figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"kill -9 in {job}: {len(points)} points: {figures}; {monotonic() - began_at_s:.0f} s")
    assert not failed, "\n".join(failed)
    assert outcomes["not reached"] <= len(points) // 20
    return outcomes


@pytest.mark.parametrize("job", ["sign", "export"])
def test_a_kill_leaves_nothing_half_done(job: str, tmp_path: Path) -> None:
    here = workstation.workstation("imported" if job == "sign" else "signed", tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    command = here.sign() if job == "sign" else here.export(out)
    calls = record(command, here.vault, out)
    assert len(calls) >= LEAST_POINTS
    killed_at_each(job, calls if ALL else spread(calls, SAMPLE[job]), _JOBS[job])


_JOBS: Final[dict[str, Callable[[Call, Path], str]]] = {
    "sign": survive_in_sign,
    "export": survive_in_export,
}
