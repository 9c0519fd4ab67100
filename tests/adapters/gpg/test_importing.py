"""Importing an OpenPGP key: whole, protected, and proved by a signature before it stays (KEY-1).

A backup of then is imported with the newer certificate beside it (KEY-4).
"""

from pathlib import Path

import pytest

from pai_signer.adapters.gpg_home import throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.errors import BadSignature, FormatError, PolicyRefused, SignerError
from tests.adapters.gpg.homes import DATA, VERIFIER, fingerprints, private_keys, refused
from tests.adapters.gpg.old_keys import UNTIL, old_key
from tests.keys import (
    WEAK_USER_ID,
    RealClock,
    export_secret,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)


def test_imported_key_signs(tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    info = empty.import_key(key.secret_export, weak_passphrase())
    assert info.fingerprint == key.info.fingerprint
    assert info.user_id == WEAK_USER_ID, "the proof's user ID must not stay"
    signature = empty.sign_detached(DATA, info.fingerprint, weak_passphrase())
    VERIFIER.verify_detached(DATA, signature, [info.certificate], [info.fingerprint])
    for file in (tmp_path / "empty").glob("private-keys-v1.d/*.key"):
        assert b"protected-private-key" in file.read_bytes()


def test_import_with_a_wrong_passphrase_is_refused_though_gpg_takes_it(
    tmp_path: Path, empty: GpgKeys
) -> None:
    export = weak_openpgp_key().secret_export
    with throwaway_home(for_secrets=True) as home:
        succeeded(home.run(["--import"], stdin=export, passphrase=weak_passphrase(b"wrong")))
    wrong = weak_passphrase(b"wrong")
    refused("KEY-1/wrong-passphrase", lambda: empty.import_key(export, wrong))
    assert private_keys(tmp_path / "empty") == []


def test_import_that_fails_in_the_vault_removes_the_key_again(
    tmp_path: Path, empty: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GpgVerifier.verify_detached
    calls = []

    def fail_second(self: GpgVerifier, *arguments: object) -> object:
        calls.append(arguments)
        if len(calls) > 1:
            raise BadSignature("TEST/x", "x", "x")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GpgVerifier, "verify_detached", fail_second)
    export = weak_openpgp_key().secret_export
    refused("TEST/x", lambda: empty.import_key(export, weak_passphrase()))
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []


def test_proof_refuses_a_key_that_any_passphrase_opens(tmp_path: Path, empty: GpgKeys) -> None:
    """Put into the vault's home by gpg itself."""
    open_key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "empty") as home:
        home.run(["--import"], stdin=open_key.secret_export)
    assert isinstance(
        refused("KEY-1/unprotected", empty.prove, open_key.fingerprint, weak_passphrase()),
        PolicyRefused,
    )


def test_import_refuses_an_unprotected_key(tmp_path: Path, empty: GpgKeys) -> None:
    open_key = scratch_key(unprotected=True)
    assert isinstance(
        refused("KEY-1/unprotected", empty.import_key, open_key.secret_export, weak_passphrase()),
        PolicyRefused,
    )
    assert not (tmp_path / "empty").exists()


def test_import_refuses_a_flipped_secret_bit_that_gpg_imports(
    tmp_path: Path, empty: GpgKeys
) -> None:
    with throwaway_home(for_secrets=True) as home:
        succeeded(
            home.run(
                ["--import"], stdin=weak_openpgp_key().secret_export, passphrase=weak_passphrase()
            )
        )
        binary = succeeded(home.run(["--export-secret-keys"], passphrase=weak_passphrase())).stdout
    # The first packet is the primary; its last bytes are the encrypted secret part.
    header, length = (2, binary[1]) if binary[1] < 192 else (3, 0)
    assert header == 2, "an Ed25519 secret key packet is shorter than 192 bytes"
    damaged = bytearray(binary)
    damaged[header + length - 1] ^= 1
    with pytest.raises(SignerError):
        empty.import_key(bytes(damaged), weak_passphrase())
    assert not (tmp_path / "empty").exists()


def test_import_refuses_files_with_other_than_one_secret_key(
    tmp_path: Path, empty: GpgKeys
) -> None:
    key = weak_openpgp_key()
    other = scratch_key()
    error = refused(
        "KEY-1/key-file", empty.import_key, key.info.certificate.encode(), weak_passphrase()
    )
    assert "a public key only" in error.summary
    for bad in (
        key.secret_export + other.secret_export,
        key.info.certificate.encode() + other.secret_export,
        b"",
        b"garbage\n",
        b"x" * (2 << 20),
    ):
        assert isinstance(
            refused("KEY-1/key-file", empty.import_key, bad, weak_passphrase()), FormatError
        )
    assert not (tmp_path / "empty").exists()


def test_import_refuses_subkeys_without_their_primary(tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    with throwaway_home(for_secrets=True) as home:
        succeeded(home.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
        stub = succeeded(home.run(["--export-secret-subkeys"], passphrase=weak_passphrase())).stdout
    refused("KEY-1/primary-missing", lambda: empty.import_key(stub, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_import_of_an_expired_key_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    old = scratch_key(expires="2024-06-01")
    refused("POL-6/expired", lambda: empty.import_key(old.secret_export, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_import_of_a_key_that_is_here_leaves_it_alone(home: Path, keys: GpgKeys) -> None:
    export = weak_openpgp_key().secret_export
    before = private_keys(home)
    refused("KEY-1/already-here", lambda: keys.import_key(export, weak_passphrase()))
    assert private_keys(home) == before
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())


def test_an_old_export_is_restored_with_the_newer_certificate_beside_it(
    tmp_path: Path, expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    with vault_home(expired_home) as opened:
        export_of_then = export_secret(opened, key.fingerprint)
    info = life.extend(key.fingerprint, UNTIL, weak_passphrase())
    restored = GpgKeys(tmp_path / "restored", RealClock())
    refused("POL-6/expired", restored.import_key, export_of_then, weak_passphrase())
    assert restored.stray(()) == ()
    imported = restored.import_key(export_of_then, weak_passphrase(), info.certificate)
    assert imported.expires_at == info.expires_at
    new = restored.sign_detached(DATA, key.fingerprint, weak_passphrase())
    GpgVerifier(RealClock()).verify_detached(DATA, new, [info.certificate], [key.fingerprint])


def test_a_certificate_of_another_key_is_not_taken_beside_it(tmp_path: Path) -> None:
    other, key = scratch_key(), weak_openpgp_key()
    restored = GpgKeys(tmp_path / "restored", RealClock())
    arguments = (key.secret_export, weak_passphrase(), other.certificate)
    refused("KEY-4/certificate", restored.import_key, *arguments)
    assert restored.stray(()) == ()
