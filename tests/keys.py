"""WEAK TEST KEYS, made once per test run: known passphrase, cheap passphrase hashing.

For any test that needs key material but does not test its strength. Nothing
here may ever be used outside the tests.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.adapters.process import Finished
from pai_signer.domain import openpgp_secret
from pai_signer.domain.minisig import ScryptLimits
from pai_signer.domain.openpgp_status import parse_status
from pai_signer.domain.secret import Secret
from pai_signer.ports import OpenPgpKeyInfo

WEAK_PASSPHRASE: Final = b"weak test passphrase"
#: What a custodian's copies are opened with: of the minisign key, and of the OpenPGP key.
CUSTODIAN_PASSPHRASES: Final = (b"weak custodian passphrase", b"weak custodian phrase for gpg")
WEAK_SCRYPT_LIMITS: Final = ScryptLimits(ops=1 << 16, memory_bytes=1 << 20)
#: What the program wants of OpenPGP, and twice gpg's least: half a second less for a key.
STOCK_S2K_COUNT_BYTES: Final = openpgp_secret.S2K_COUNT_BYTES
WEAK_S2K_COUNT_BYTES: Final = 131_072
WEAK_USER_ID: Final = "Weak Test Key <weak@test.invalid>"
WEAK_VALID_UNTIL: Final = date(datetime.now(UTC).year + 3, 6, 1)


def weaken_openpgp() -> None:
    """OpenPGP keys are made, and taken, with cheap passphrase hashing in this process."""
    vars(openpgp_secret)["S2K_COUNT_BYTES"] = WEAK_S2K_COUNT_BYTES


class RealClock:
    """The machine's clock, as the ``Clock`` port tells it."""

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands still."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def weak_passphrase(text: bytes = WEAK_PASSPHRASE) -> Secret:
    """A fresh ``Secret``; tests may wipe it."""
    return Secret(bytearray(text))


class LenientPassphrases:
    """The ``Passphrases`` port that offers real words and takes any: for weak test keys."""

    def offer(self) -> Secret:
        return WordListPassphrases().offer()

    def check(self, passphrase: Secret) -> None:
        return None


@dataclass(frozen=True)
class WeakMinisignKey:
    """A minisign key file under ``WEAK_PASSPHRASE`` and its public key line."""

    public_key: str
    key_file: bytes


@functools.cache
def weak_minisign_key() -> WeakMinisignKey:
    """The one weak minisign key of this test run."""
    return new_weak_minisign_key()


def new_weak_minisign_key() -> WeakMinisignKey:
    """Another weak minisign key."""
    with TemporaryDirectory() as folder:
        public_key = weak_minisign_keys(Path(folder)).generate(weak_passphrase())
        (key_file,) = Path(folder).iterdir()
        return WeakMinisignKey(public_key, key_file.read_bytes())


def weak_minisign_keys(directory: Path) -> MinisignKeyDirectory:
    """The real adapter, with weak limits."""
    return MinisignKeyDirectory(
        directory, limits=WEAK_SCRYPT_LIMITS, memory_available=lambda: 8 << 30
    )


@dataclass(frozen=True)
class WeakOpenPgpKey:
    """An OpenPGP key under ``WEAK_PASSPHRASE``; ``home_files`` are a whole GNUPGHOME."""

    info: OpenPgpKeyInfo
    secret_export: bytes
    home_files: Mapping[str, bytes]


@functools.cache
def weak_openpgp_key() -> WeakOpenPgpKey:
    """The one weak OpenPGP key of this test run (about 3 s the first time)."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        info = GpgKeys(home, RealClock()).generate(
            WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase()
        )
        with vault_home(home) as opened:
            secret_export = export_secret(opened, info.fingerprint)
        files = {
            str(path.relative_to(home)): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file()
        }
        return WeakOpenPgpKey(info, secret_export, MappingProxyType(files))


def install_weak_openpgp_key(home: Path) -> OpenPgpKeyInfo:
    """Fill ``home`` with the weak key, as if it had been generated there."""
    key = weak_openpgp_key()
    home.mkdir(mode=0o700, parents=True)
    for name, content in key.home_files.items():
        path = home / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
    return key.info


# --- keys that the program itself would never make ----------------------------------------


@dataclass(frozen=True)
class ScratchKey:
    """A key from another time, or a damaged one, with what it signed."""

    fingerprint: str
    certificate: str
    secret_export: bytes = b""
    signature: bytes = b""
    revocation: bytes = b""


def export_secret(home: GpgHome, *selectors: str) -> bytes:
    return succeeded(
        home.run(["--armor", "--export-secret-keys", *selectors], passphrase=weak_passphrase())
    ).stdout


def succeeded(finished: Finished) -> Finished:
    assert finished.exit_code == 0, finished
    return finished


@functools.cache
def scratch_key(
    *,
    data: bytes = b"",
    created: str = "20240101T000000",
    expires: str = "never",
    signed: str = "20240102T000000",
    sign_options: tuple[str, ...] = ("--armor", "--detach-sign"),
    unprotected: bool = False,
) -> ScratchKey:
    """A single signing key made by gpg at a pretended time; signs ``data`` at ``signed``."""
    passphrase = Secret(bytearray()) if unprotected else weak_passphrase()
    with throwaway_home(for_secrets=True) as home:

        def at(moment: str, *arguments: str, stdin: bytes = b"") -> Finished:
            base = ["--faked-system-time", f"{moment}!", *arguments]
            return succeeded(home.run(base, stdin=stdin, passphrase=passphrase))

        uid = "Scratch <scratch@test.invalid>"
        made = at(created, "--quick-gen-key", uid, "ed25519", "sign,cert", expires)
        (fingerprint,) = (
            line.arguments[1] for line in parse_status(made.status) if line.keyword == "KEY_CREATED"
        )
        signature = at(signed, *sign_options, "--output", "-", stdin=data).stdout
        exported = home.run(["--armor", "--export-secret-keys", fingerprint], passphrase=passphrase)
        certificate = succeeded(home.run(["--armor", "--export", fingerprint])).stdout.decode()
        stock_revocation = home.path / "openpgp-revocs.d" / f"{fingerprint}.rev"
        guarded = stock_revocation.read_bytes()
        return ScratchKey(
            fingerprint=fingerprint,
            certificate=certificate,
            secret_export=succeeded(exported).stdout,
            signature=signature,
            revocation=guarded[guarded.index(b":-----BEGIN") + 1 :],
        )
