"""Detached signatures that gpg, gpgv and sqv accept, by the very key that was asked (SIG-3, SIG-5).

The passphrase is proved by signing alone, of the primary too (KEY-1).
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.adapters import gpg_commands, gpg_home, process
from pai_signer.adapters.gpg_home import vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.domain.openpgp_armor import parse_armored_signature
from pai_signer.errors import CannotTell, PolicyRefused, SignerError
from tests.adapters.gpg.homes import DATA, refused, state
from tests.keys import (
    FixedClock,
    RealClock,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

# --- signing ------------------------------------------------------------------------------


def test_gpg_gpgv_and_sqv_accept_the_signature(tmp_path: Path, keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    signature = keys.sign_detached(DATA, info.fingerprint, weak_passphrase())
    assert b"Comment:" not in signature
    assert b"Version:" not in signature
    data, asc, cert = (tmp_path / n for n in ("SHA256SUMS", "SHA256SUMS.asc", "k.asc"))
    data.write_bytes(DATA)
    asc.write_bytes(signature)
    cert.write_text(info.certificate)
    (tmp_path / "judge").mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(tmp_path / "judge"), "--batch", "--no-autostart"]
    subprocess.run([*gpg, "--import", cert], check=True, capture_output=True)
    verify = ["--status-fd", "1", "--verify", str(asc), str(data)]
    judged = subprocess.run([*gpg, *verify], check=True, capture_output=True)
    assert f"VALIDSIG {info.signing_fingerprint} ".encode() in judged.stdout
    # Hash algorithm 10 is SHA-512, class 00 a binary document.
    assert f" 22 10 00 {info.fingerprint}\n".encode() in judged.stdout
    ring = tmp_path / "ring.gpg"
    subprocess.run([*gpg, "--output", ring, "--export"], check=True, capture_output=True)
    subprocess.run(["gpgv", "--keyring", ring, asc, data], check=True, capture_output=True)
    sqv = subprocess.run(["sqv", "--keyring", cert, asc, data], check=True, capture_output=True)
    assert sqv.stdout.decode().strip() == info.fingerprint
    data.write_bytes(DATA + b"x")
    for judge, ring_or_cert in (("gpgv", ring), ("sqv", cert)):
        command: list[str | Path] = [judge, "--keyring", ring_or_cert, asc, data]
        assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_wrong_passphrase_has_its_own_error_and_changes_nothing(home: Path, keys: GpgKeys) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    before = {p.name: p.read_bytes() for p in home.glob("private-keys-v1.d/*")}
    for act in (keys.prove, lambda f, p: keys.sign_detached(DATA, f, p)):
        assert isinstance(
            refused("KEY-1/wrong-passphrase", act, fingerprint, weak_passphrase(b"wrong")),
            PolicyRefused,
        )
    assert {p.name: p.read_bytes() for p in home.glob("private-keys-v1.d/*")} == before


def test_unknown_key_is_could_not_tell(keys: GpgKeys) -> None:
    assert isinstance(
        refused("KEY-1/no-secret-key", keys.sign_detached, DATA, "A" * 40, weak_passphrase()),
        CannotTell,
    )


def test_short_key_id_selects_no_key(keys: GpgKeys) -> None:
    short = weak_openpgp_key().info.fingerprint[-16:]
    refused("KEY-2/fingerprint", lambda: keys.sign_detached(DATA, short, weak_passphrase()))


def test_expired_key_is_refused_and_no_other_key_signs_instead(home: Path, keys: GpgKeys) -> None:
    old = scratch_key(expires="2024-06-01")
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=old.secret_export, passphrase=weak_passphrase()))
        listed = gpg_commands.listed(opened, old.fingerprint)
        # What the "!" and the SIG_CREATED check are for: gpg alone would take the other key.
        fallback = opened.run(
            ["--default-key", old.fingerprint, "--detach-sign", "--output", "-"],
            stdin=DATA,
            passphrase=weak_passphrase(),
        )
        assert b"SIG_CREATED" in fallback.status
        assert weak_openpgp_key().info.signing_fingerprint.encode() in fallback.status
        with pytest.raises(SignerError):
            gpg_commands.sign(opened, listed.primary, DATA, weak_passphrase())
    assert isinstance(
        refused("POL-6/expired", keys.sign_detached, DATA, old.fingerprint, weak_passphrase()),
        PolicyRefused,
    )


def test_exactly_the_given_subkey_signs_and_not_a_newer_one(home: Path) -> None:
    info = weak_openpgp_key().info
    with vault_home(home) as opened:
        add = ["--quick-add-key", info.fingerprint, "ed25519", "sign", "1y"]
        succeeded(opened.run(add, passphrase=weak_passphrase()))
        older, newer = gpg_commands.listed(opened, info.fingerprint).subkeys
        assert older.fingerprint == info.signing_fingerprint
        for subkey in (older, newer):
            # The signing key's full fingerprint stands in the signature itself.
            signature = gpg_commands.sign(opened, subkey, DATA, weak_passphrase())
            assert bytes.fromhex(subkey.fingerprint) in parse_armored_signature(signature)


def test_signature_by_another_key_than_asked_is_thrown_away(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_home.GpgHome.run

    def other_signer(self: gpg_home.GpgHome, arguments: list[str], **more: object) -> object:
        finished = real(self, arguments, **more)  # type: ignore[arg-type]
        status = finished.status.replace(
            weak_openpgp_key().info.signing_fingerprint.encode(), b"B" * 40
        )
        return process.Finished(finished.exit_code, finished.stdout, finished.stderr, status)

    with vault_home(home) as opened:
        (subkey,) = gpg_commands.listed(opened, weak_openpgp_key().info.fingerprint).subkeys
        monkeypatch.setattr(gpg_home.GpgHome, "run", other_signer)
        refused(
            "SIG-3/other-key",
            lambda: gpg_commands.sign(opened, subkey, DATA, weak_passphrase()),
        )


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (datetime(2090, 1, 1, tzinfo=UTC), "POL-6/expired"),
        (datetime(2001, 1, 1, tzinfo=UTC), "POL-8/before-key"),
    ],
)
def test_key_is_judged_by_the_given_clock(now: datetime, code: str, home: Path) -> None:
    keys = GpgKeys(home, FixedClock(now))
    fingerprint = weak_openpgp_key().info.fingerprint
    refused(code, lambda: keys.sign_detached(DATA, fingerprint, weak_passphrase()))


# --- proving possession -------------------------------------------------------------------


def test_proof_of_the_right_passphrase_passes(keys: GpgKeys) -> None:
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())


def test_proof_of_the_primary_leaves_no_trace(home: Path) -> None:
    life, before = GpgLife(home, RealClock()), state(home)
    life.prove_primary(weak_openpgp_key().info.fingerprint, weak_passphrase())
    assert state(home) == before


def test_proof_of_the_primary_wants_the_right_passphrase(home: Path) -> None:
    life, before = GpgLife(home, RealClock()), state(home)
    fingerprint = weak_openpgp_key().info.fingerprint
    wrong = weak_passphrase(b"something")
    refused("KEY-1/wrong-passphrase", life.prove_primary, fingerprint, wrong)
    refused("KEY-1/empty-passphrase", life.prove_primary, fingerprint, weak_passphrase(b""))
    assert state(home) == before


def test_unprotected_primary_is_not_proved(tmp_path: Path) -> None:
    key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "open") as opened:
        succeeded(opened.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
    life = GpgLife(tmp_path / "open", RealClock())
    refused("KEY-1/unprotected", life.prove_primary, key.fingerprint, weak_passphrase())


def test_damaged_secret_primary_is_not_proved(home: Path) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    with vault_home(home) as opened:
        listing = succeeded(opened.run(["--with-colons", "--list-secret-keys"])).stdout
    grip = next(x for x in listing.decode().split("\n") if x.startswith("grp:")).split(":")[9]
    file = home / "private-keys-v1.d" / f"{grip}.key"
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(bytes(content))
    # The subkey still signs; only this proof finds it.
    GpgKeys(home, RealClock()).prove(fingerprint, weak_passphrase())
    with pytest.raises(SignerError):
        GpgLife(home, RealClock()).prove_primary(fingerprint, weak_passphrase())
