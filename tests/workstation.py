"""A workstation for fault tests: a vault with weak keys, a release to import, the command line.

The vault and the downloads are made once per test run and copied for each test.
"""

import atexit
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pai_signer.composition import built_in_profile, make_vault, open_workbench
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import REGISTRY_NAME, Algorithm, parse_registry
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Answer, Question
from pai_signer.workflows.script import play
from pai_signer.workflows.workbench import Workbench
from tests.keys import (
    CUSTODIAN_PASSPHRASES,
    WEAK_PASSPHRASE,
    WEAK_SCRYPT_LIMITS,
    LenientPassphrases,
)
from tests.repository import make_repository

VERSION: Final = "v0.2.0"
FOLDER: Final = f"pai-{VERSION}"
TOP: Final = Path(__file__).parent.parent
IMAGES: Final = {
    "pai-0.2.0-amd64.iso": Path("/usr/lib/ipxe/ipxe.iso"),
    "pai-0.2.0-arm64.iso": Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso"),
}
#: What a test machine cannot fulfil: custody, the air gap, and amd64 images as arm64's.
WAIVERS: Final = ("POL-7", "POL-9")


@dataclass(frozen=True)
class Workstation:
    """One vault, and how to run the program on it."""

    vault: Path

    def command(self, *arguments: str | Path) -> list[str]:
        """The program as an argument list, for a subprocess or for strace."""
        vault = ("--vault", str(self.vault))
        return [sys.executable, "-m", "tests.weak_signer", *vault, *map(str, arguments)]

    def sign(self) -> list[str]:
        """``release sign``; passphrases come on descriptors 3 and 4, see ``run``."""
        waived = [part for rule in WAIVERS for part in ("--waive", f"{rule}=a test machine")]
        secrets = ("--passphrase-fd", "minisign=3", "--passphrase-fd", "gpg=4")
        return self.command("release", "sign", VERSION, "--confirm", VERSION, *waived, *secrets)

    def import_from(self, source: Path) -> list[str]:
        """``release import``."""
        return self.command("release", "import", source, "--version", VERSION)

    def export(self, destination: Path) -> list[str]:
        """``release export``."""
        return self.command("release", "export", VERSION, destination)

    def rotate(self, system: Literal["minisign", "gpg"]) -> list[str]:
        """``key rotate``; the new key gets the passphrase of descriptor 5."""
        algorithm = Algorithm.MINISIGN if system == "minisign" else Algorithm.OPENPGP
        first = self.vault / "keys" / "registry" / "0001" / REGISTRY_NAME
        ends = parse_registry(first.read_bytes()).of(algorithm)[0].id[-16:]
        secrets = ("--passphrase-fd=minisign=3", "--passphrase-fd=gpg=4", "--passphrase-fd=new=5")
        options = ("--confirm", ends, "--despite", "a test machine", *secrets)
        return self.command("key", "rotate", system, *options)

    def backup(self, verb: Literal["create", "verify"], custodian: str, medium: Path) -> list[str]:
        """``backup create`` or ``verify``; the custodian's come on descriptors 6 and 7."""
        opened = ("custodian=6", "custodian-gpg=7")
        own = ("minisign=3", "gpg=4") if verb == "create" else ()
        secrets = [f"--passphrase-fd={name}" for name in (*own, *opened)]
        return self.command("backup", verb, medium, "--custodian", custodian, *secrets)

    def verify_journal(self) -> list[str]:
        """``journal verify``."""
        return self.command("journal", "verify")


def run(
    command: Sequence[str], *, timeout_s: float = 120, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end with the weak passphrases waiting on descriptors 3 to 5, 6 and 7."""
    with started(command, environment=environment) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a tracer's end would set the traced one free
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@contextmanager
def started(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start it, for what has to happen meanwhile; killed if it still runs at the end."""
    with tempfile.TemporaryDirectory() as folder:
        secret, *custodians = (Path(folder, name) for name in ("own", "minisign", "gpg"))
        phrases = (WEAK_PASSPHRASE, *CUSTODIAN_PASSPHRASES)
        for path, phrase in zip((secret, *custodians), phrases, strict=True):
            path.write_bytes(phrase + b"\n")
        descriptors = (secret, secret, secret, *custodians)
        opened = " ".join(f"{number}<{path}" for number, path in enumerate(descriptors, 3))
        shell = ("sh", "-c", f'exec {opened}; exec "$@"', "sh")
        with subprocess.Popen(
            [*shell, *command],
            cwd=TOP,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


class _Silent:
    """A ``Speaker`` that shows nothing and answers nothing."""

    def show(self, conversation: Any, step: Any, pages: Any) -> None:
        return

    def ask(self, question: Question) -> None:
        return

    def asks_again(self, error: SignerError) -> bool:
        return False

    def working(self, step: Any, progress: Progress) -> AbstractContextManager[None]:
        return nullcontext()


def act(
    bench: Workbench, entry: str, arguments: Mapping[str, str], answers: Mapping[str, Answer]
) -> None:
    """Play one entry of the catalogue in-process; raises what it refuses."""
    outcome = play(catalogue.begin(bench, entry, arguments), answers, _Silent())
    if outcome.refusal is not None:
        raise outcome.refusal


def fill_downloads(folder: Path, images: Mapping[str, Path] = IMAGES) -> None:
    """Real images under a release's names, with CI's digests and a real bundle."""
    digests = []
    for name, image in images.items():
        content = image.read_bytes()
        (folder / name).write_bytes(content)
        digests.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(digests))
    with tempfile.TemporaryDirectory() as scratch:
        bundle = make_repository(Path(scratch) / "repository").full_bundle()
        shutil.copy(bundle, folder / "pai.bundle")


def new_vault(path: Path, profile: bytes | None = None) -> Workstation:
    """A vault with both weak keys, registered."""
    make_vault(path, profile or built_in_profile(), "Ada Maintainer", "ada@example.org")
    lenient = LenientPassphrases()
    with open_workbench(path, limits=WEAK_SCRYPT_LIMITS, passphrases=lenient) as (bench, _):
        act(bench, "key.generate", {}, {"despite": "a test machine", **_passphrases()})
    return Workstation(path)


def _passphrases() -> dict[str, Answer]:
    return {name: Secret(bytearray(WEAK_PASSPHRASE)) for name in ("minisign", "gpg")}


@functools.cache
def _templates() -> Path:
    base = Path(tempfile.mkdtemp(prefix="pai-workstation-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    downloads = base / "downloads"
    downloads.mkdir()
    fill_downloads(downloads)
    make_vault(base / "new", built_in_profile(), "Ada Maintainer", "ada@example.org")
    new_vault(base / "keyed")
    imported = _copy(base / "keyed", base / "imported")
    with open_workbench(imported.vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        act(bench, "release.import", {"directory": str(downloads), "version": VERSION}, {})
    signed = _copy(imported.vault, base / "signed")
    with open_workbench(signed.vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        answers: dict[str, Answer] = {f"waive.{rule}": "a test machine" for rule in WAIVERS}
        answers |= {"confirm": VERSION, "clock": YES, **_passphrases()}
        act(bench, "release.sign", {"version": VERSION}, answers)
    return base


def workstation(stage: Literal["new", "keyed", "imported", "signed"], folder: Path) -> Workstation:
    """A copy of the prepared vault below ``folder``, which must not hold one yet."""
    return _copy(_templates() / stage, folder / "vault")


@functools.cache
def backup_medium() -> Path:
    """A folder with a backup of the prepared keys, made for Anna."""
    medium = _templates() / "medium"
    medium.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        vault, lenient = workstation("keyed", Path(folder)).vault, LenientPassphrases()
        with open_workbench(vault, limits=WEAK_SCRYPT_LIMITS, passphrases=lenient) as (bench, _):
            custodians = zip(("custodian", "custodian-gpg"), CUSTODIAN_PASSPHRASES, strict=True)
            answers = {name: Secret(bytearray(phrase)) for name, phrase in custodians}
            arguments = {"custodian": "Anna", "directory": str(medium)}
            act(bench, "backup.create", arguments, {**_passphrases(), **answers})
    return medium


def downloads() -> Path:
    """The folder that the prepared vaults imported from."""
    return _templates() / "downloads"


def _copy(vault: Path, to: Path) -> Workstation:
    shutil.copytree(vault, to, symlinks=True, copy_function=shutil.copy2)
    return Workstation(to)
