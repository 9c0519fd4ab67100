"""``keys/public`` of a clone is all that one needs to verify a release (KEY-2, VER-1).

The keys of a test vault are published into a copy of this very repository and committed
there. What is cloned from that copy verifies with the program in the clone, and with stock
tools and the published files alone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from pai_signer.domain.registry import Algorithm
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_WRONG
from pai_signer.workflows.engine import YES
from tests.cli.program import ROOT
from tests.workflows.bench import opened, published, run, secrets, signed_vault

NEW_PHRASE: Final = b"weak new phrase"
PUBLIC: Final = Path("keys") / "public"
MANIFEST: Final = "SHA256SUMS"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="this is no repository, so it cannot be cloned"
)


def git(*arguments: str | Path, at: Path) -> str:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        **{
            f"GIT_{who}_{what}": "m@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["git", *arguments], cwd=at, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Published:
    """A repository with published keys, and which keys they are."""

    repository: Path
    release: Path
    old_minisign: str
    new_minisign: str
    openpgp: str


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A release is signed; then minisign is rotated, OpenPGP extended, and all is published."""
    folder = tmp_path_factory.mktemp("repository")
    copy = folder / "copy"
    for name in git("ls-files", "-z", at=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    release = published(folder / "release")
    shutil.rmtree(release / "keys")  # from the clone alone
    with opened(signed_vault(folder / "vault")) as bench:
        old = bench.registry().signing_key(Algorithm.MINISIGN)
        assert old is not None
        answers = {"confirm": old.id, **secrets(new=NEW_PHRASE)}
        new = run(bench, "key.rotate.minisign", answers).data["new"]
        until = good_expiry_day((bench.clock.now() + timedelta(days=500)).date(), AvoidedDays())
        given = {"clock": YES, **secrets(minisign=NEW_PHRASE)}
        run(bench, "key.extend", given, until=until.isoformat())
        run(bench, "key.publish", directory=str(copy / PUBLIC))
        openpgp = bench.registry().signing_key(Algorithm.OPENPGP)
        assert openpgp is not None
    git("init", "-q", "-b", "main", at=copy)
    git("add", "--all", at=copy)
    git("commit", "-q", "-m", "Publish the keys", at=copy)
    yield Published(copy, release, old.id, new, openpgp.id)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def clone(everything: Published, tmp_path: Path) -> Path:
    git("clone", "-q", everything.repository, tmp_path / "clone", at=tmp_path)
    return tmp_path / "clone"


def accepts(*command: str | Path) -> bool:
    """Whether a stock tool ends with 0."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def verify(clone: Path, release: Path) -> "subprocess.CompletedProcess[str]":
    """``pai-signer verify`` as it stands in the clone, with the clone's keys."""
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    where = [sys.executable, "-c", "import pai_signer; print(pai_signer.__file__)"]
    found = subprocess.run(
        where, cwd=clone, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(clone)
    program = [sys.executable, "-m", "pai_signer", "--vault", "/nonexistent", "verify"]
    return subprocess.run(
        [*program, release, "--keys", PUBLIC],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_clones_own_program_and_keys_verify_the_release(
    everything: Published, clone: Path
) -> None:
    done = verify(clone, everything.release)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "GOOD: PAI v0.2.0: 2 of 2 files match the signed manifest, the tag is signed" in said
    assert f"minisign {everything.old_minisign} (retired)" in said


def test_stock_minisign_takes_the_old_key_for_the_old_release(
    everything: Published, clone: Path
) -> None:
    manifest, public = everything.release / MANIFEST, clone / PUBLIC
    old, new = (
        public / f"minisign-{key}.pub" for key in (everything.old_minisign, everything.new_minisign)
    )
    assert accepts("minisign", "-Vm", manifest, "-p", old)
    assert not accepts("minisign", "-Vm", manifest, "-p", new)
    assert (public / "minisign.pub").read_bytes() == new.read_bytes()


def test_gpgv_and_sqv_take_the_published_certificate(
    everything: Published, clone: Path, tmp_path: Path
) -> None:
    """It was extended since: the strict one needs the self-signature of the release's time."""
    certificate, ring = clone / PUBLIC / f"gpg-{everything.openpgp}.asc", tmp_path / "ring.gpg"
    homedir = ("--homedir", tmp_path, "--batch")
    assert accepts("gpg", *homedir, "--dearmor", "--output", ring, certificate)
    signature, data = everything.release / f"{MANIFEST}.asc", everything.release / MANIFEST
    assert accepts("gpgv", "--keyring", ring, signature, data)
    assert accepts("sqv", "--keyring", certificate, signature, data)


def test_stock_tools_verify_the_registry_and_the_statement(
    everything: Published, clone: Path
) -> None:
    public = clone / PUBLIC
    (statement,) = public.glob("transition-minisign-*.txt")
    for key in (everything.old_minisign, everything.new_minisign):
        signature, line = f"{statement.name}.{key}.minisig", public / f"minisign-{key}.pub"
        assert accepts("minisign", "-Vm", statement, "-x", public / signature, "-p", line)
    assert accepts("minisign", "-Vm", public / "registry.json", "-p", public / "minisign.pub")
    certificate = public / f"gpg-{everything.openpgp}.asc"
    for name in ("registry.json", statement.name):
        (signed_by_gpg,) = public.glob(f"{name}*.asc")
        assert accepts("sqv", "--keyring", certificate, signed_by_gpg, public / name)


def test_what_the_repository_says_of_its_keys_stays(clone: Path) -> None:
    assert (clone / PUBLIC / "README.md").read_bytes() == (ROOT / PUBLIC / "README.md").read_bytes()
    assert git("status", "--porcelain", at=clone) == ""


def test_a_clone_that_turns_line_ends_verifies_too(everything: Published, tmp_path: Path) -> None:
    """git on Windows does it by default; signed files have to stay as they are."""
    clone = tmp_path / "crlf"
    git("clone", "-q", "-c", "core.autocrlf=true", everything.repository, clone, at=tmp_path)
    assert b"\r\n" in (clone / "README.md").read_bytes()
    done = verify(clone, everything.release)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["registry.json", "minisign.pub", "gpg-*.asc"])
def test_a_clone_in_which_somebody_changed_a_key_is_refused(
    everything: Published, clone: Path, name: str
) -> None:
    (path,) = (clone / PUBLIC).glob(name)
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    assert verify(clone, everything.release).returncode == EXIT_WRONG
