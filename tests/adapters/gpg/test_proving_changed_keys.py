"""Proofs by copies of keys of other shapes, and of keys that have changed since (CUS-2, KEY-4)."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters import gpg_proof
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_home import throwaway_home, vault_home
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.errors import PolicyRefused
from tests.adapters.gpg.copies import CHALLENGE, armored, copy, packets, prove, with_body
from tests.adapters.gpg.homes import CLOCK, NEW, VERIFIER, refused
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_USER_ID,
    WEAK_VALID_UNTIL,
    FixedClock,
    export_secret,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

# --- keys of other shapes -----------------------------------------------------------------


@dataclass(frozen=True)
class Grown:
    """A key that got another signing subkey and one for encryption; and as it was before."""

    fingerprint: str
    before: bytes
    certificate_before: str
    secret_key: bytes
    certificate: str


@functools.cache
def grown() -> Grown:
    with throwaway_home(for_secrets=True) as home:
        key = weak_openpgp_key()
        fingerprint = key.info.fingerprint
        commands.import_secret_key(home, key.secret_export, fingerprint, weak_passphrase())
        for arguments in (("ed25519", "sign"), ("cv25519", "encr")):
            command = ["--quick-add-key", fingerprint, *arguments, WEAK_VALID_UNTIL.isoformat()]
            succeeded(home.run(command, passphrase=weak_passphrase()))
        return Grown(
            fingerprint,
            key.secret_export,
            key.info.certificate,
            export_secret(home, fingerprint),
            commands.public_certificate(home, fingerprint),
        )


def test_each_signing_subkey_signs_and_the_others_open(outside: OpenPgpBackups) -> None:
    key = grown()
    signatures = prove(outside, key.secret_key, WEAK_PASSPHRASE, key.certificate, key.fingerprint)
    by = {
        VERIFIER.verify_detached(
            CHALLENGE, s, [key.certificate], [key.fingerprint]
        ).signing_fingerprint
        for s in signatures
    }
    assert len(signatures) == len(by) == 2
    held = packets(key.secret_key)
    encrypting = [p for p in held if p.tag == 7][-1]
    body = encrypting.body[:-1] + bytes([encrypting.body[-1] ^ 1])
    cut = held.index(encrypting)
    bad = armored(
        b"".join(p.raw for p in held[:cut])
        + with_body(encrypting, body)
        + b"".join(p.raw for p in held[cut + 1 :])
    )
    refused(
        "CUS-2/damaged-key",
        lambda: prove(outside, bad, WEAK_PASSPHRASE, key.certificate, key.fingerprint),
    )


def test_a_copy_from_before_a_subkey_is_stale(outside: OpenPgpBackups) -> None:
    key = grown()
    error = refused(
        gpg_proof.STALE,
        lambda: prove(outside, key.before, WEAK_PASSPHRASE, key.certificate, key.fingerprint),
    )
    assert isinstance(error, PolicyRefused)
    assert "older than that subkey" in error.summary


def test_a_copy_with_an_unregistered_subkey_is_refused(outside: OpenPgpBackups) -> None:
    key = grown()
    refused(
        "CUS-2/other-subkey",
        lambda: prove(
            outside, key.secret_key, WEAK_PASSPHRASE, key.certificate_before, key.fingerprint
        ),
    )


def test_a_key_of_one_part_signs_with_its_primary(outside: OpenPgpBackups) -> None:
    key = scratch_key()
    (signature,) = prove(
        outside, key.secret_export, WEAK_PASSPHRASE, key.certificate, key.fingerprint
    )
    signed = VERIFIER.verify_detached(CHALLENGE, signature, [key.certificate], [key.fingerprint])
    assert signed.signing_fingerprint == key.fingerprint


# --- keys that have changed since ---------------------------------------------------------


@functools.cache
def extended() -> tuple[str, bytes, str, str]:
    """Fingerprint, export and certificate of a key that has expired; and as extended since."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        with vault_home(home) as opened:

            def at(*arguments: str) -> str:
                base = ["--faked-system-time", "20230101T000000!", *arguments]
                done = succeeded(opened.run(base, passphrase=weak_passphrase()))
                return commands.created_fingerprint(done)

            fingerprint = at("--quick-gen-key", WEAK_USER_ID, "ed25519", "cert", "2024-06-01")
            at("--quick-add-key", fingerprint, "ed25519", "sign", "2024-06-01")
            export = export_secret(opened, fingerprint)
            expired = commands.public_certificate(opened, fingerprint)
        info = GpgLife(home, CLOCK).extend(fingerprint, WEAK_VALID_UNTIL, weak_passphrase())
        return fingerprint, export, expired, info.certificate


def test_a_copy_whose_certificate_expired_since_is_stale_not_wrong(
    outside: OpenPgpBackups,
) -> None:
    fingerprint, export, expired, renewed = extended()

    def with_it(beside: str | None) -> tuple[bytes, ...]:
        return prove(outside, export, WEAK_PASSPHRASE, renewed, fingerprint, beside)

    for beside in (None, expired):
        error = refused(gpg_proof.STALE, lambda beside=beside: with_it(beside))
        assert "its own certificate has expired" in error.summary
    # A wrong passphrase and damage come before: they would still be there after renewal.
    refused(
        "KEY-1/wrong-passphrase",
        lambda: prove(outside, export, NEW, renewed, fingerprint),
    )
    assert len(with_it(renewed)) == 1


def test_a_registered_key_that_has_itself_expired_proves_nothing(outside: OpenPgpBackups) -> None:
    fingerprint, export, expired, _ = extended()
    refused(
        "POL-6/expired",
        lambda: prove(outside, export, WEAK_PASSPHRASE, expired, fingerprint),
    )
    later = FixedClock(CLOCK.now() + timedelta(days=5000))
    refused(
        "POL-6/expired",
        lambda: prove(OpenPgpBackups(Path("nowhere"), later), copy()),
    )


def test_a_revoked_key_proves_nothing(home: Path, outside: OpenPgpBackups) -> None:
    info = weak_openpgp_key().info
    made = GpgLife(home, CLOCK).make_revocation(
        info.fingerprint, RevocationReason.SUPERSEDED, "", weak_passphrase()
    )
    refused("POL-6/revoked", lambda: prove(outside, copy(), certificate=made.certificate))
