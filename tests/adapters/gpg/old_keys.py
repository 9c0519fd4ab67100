"""A key of 2023 as stock gpg left it, what became of it, and stock verifiers that judge it."""

import functools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from pai_signer.adapters.gpg_home import GpgHome, vault_home
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp import ListedCertificate, parse_key_listing
from pai_signer.domain.openpgp_certificate import dearmored
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.openpgp_status import parse_status
from tests.adapters.gpg.homes import DATA
from tests.keys import WEAK_USER_ID, WEAK_VALID_UNTIL, succeeded, weak_passphrase

UNTIL = WEAK_VALID_UNTIL
LATER = UNTIL.replace(year=UNTIL.year + 1)
SUPERSEDED, COMPROMISED = RevocationReason.SUPERSEDED, RevocationReason.COMPROMISED
RETIRED = RevocationReason.RETIRED
BIRTH = "20230101T000000"
SIGNED = "20230201T000000"


def at(home: GpgHome, moment: str, *arguments: str, stdin: bytes = b"") -> Finished:
    base = ["--faked-system-time", f"{moment}!", *arguments]
    return succeeded(home.run(base, stdin=stdin, passphrase=weak_passphrase()))


def made(finished: Finished) -> str:
    (fingerprint,) = (
        line.arguments[1] for line in parse_status(finished.status) if line.keyword == "KEY_CREATED"
    )
    return fingerprint


@dataclass(frozen=True)
class OldKey:
    """A key born in January 2023 with a signature of February 2023, in a whole GNUPGHOME."""

    fingerprint: str
    subkey: str
    certificate: str
    signature: bytes
    home_files: Mapping[str, bytes]

    def install(self, home: Path) -> None:
        for name, content in self.home_files.items():
            path = home / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)


@functools.cache
def old_key(primary_expires: str = "2024-06-01", subkey_expires: str = "2024-06-01") -> OldKey:
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        with vault_home(home) as opened:
            arguments = ("--quick-gen-key", WEAK_USER_ID, "ed25519", "cert", primary_expires)
            primary = made(at(opened, BIRTH, *arguments))
            arguments = ("--quick-add-key", primary, "ed25519", "sign", subkey_expires)
            subkey = made(at(opened, BIRTH, *arguments))
            certificate = export(opened, primary)
            sign = ("--armor", "--local-user", f"{subkey}!", "--detach-sign", "--output", "-")
            signature = at(opened, SIGNED, *sign, stdin=DATA).stdout
        files = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    return OldKey(primary, subkey, certificate, signature, files)


@functools.cache
def stock_extension() -> str:
    """The certificate as stock gpg exports it after ``--quick-set-expire``."""
    key = old_key()
    with TemporaryDirectory() as folder:
        key.install(Path(folder) / "gnupg")
        with vault_home(Path(folder) / "gnupg") as opened:
            for subkeys in ((), (key.subkey,)):
                arguments = ("--quick-set-expire", key.fingerprint, "2025-06-01", *subkeys)
                at(opened, "20230301T000000", *arguments)
            return export(opened, key.fingerprint)


def export(home: GpgHome, fingerprint: str) -> str:
    return succeeded(home.run(["--armor", "--export", fingerprint])).stdout.decode()


def listed(home: Path, fingerprint: str) -> ListedCertificate:
    with vault_home(home) as opened:
        listing = succeeded(opened.run(["--with-colons", "--list-keys", fingerprint])).stdout
    (certificate,) = parse_key_listing(listing)
    return certificate


def expiry_dates(home: Path, fingerprint: str) -> list[date | None]:
    certificate = listed(home, fingerprint)
    keys = (certificate.primary, *certificate.subkeys)
    return [k.expires_at.date() if k.expires_at else None for k in keys]


class Judges:
    """Stock verifiers with one certificate."""

    def __init__(self, folder: Path, certificate: str) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "data").write_bytes(DATA)
        (folder / "cert.asc").write_text(certificate)
        (folder / "cert.gpg").write_bytes(dearmored(certificate))
        (folder / "home").mkdir(mode=0o700)
        (folder / "home" / "gpg.conf").write_text("trust-model pgp\nno-auto-check-trustdb\n")
        self.gpg("--import", folder / "cert.asc")

    def gpg(self, *arguments: str | Path) -> bytes:
        base: list[str | Path] = [
            "gpg",
            "--homedir",
            self.folder / "home",
            "--batch",
            "--no-autostart",
        ]
        return subprocess.run([*base, *arguments], check=True, capture_output=True).stdout

    def says(self, tool: str, keyring: str, signature: bytes) -> bool:
        (self.folder / "sig.asc").write_bytes(signature)
        command: list[str | Path] = [
            tool,
            "--keyring",
            self.folder / keyring,
            self.folder / "sig.asc",
        ]
        judged = subprocess.run(
            [*command, self.folder / "data"], check=False, capture_output=True, text=True
        )
        return judged.returncode == 0

    def sqv(self, signature: bytes) -> bool:
        return self.says("sqv", "cert.asc", signature)

    def gpgv(self, signature: bytes) -> bool:
        return self.says("gpgv", "cert.gpg", signature)
