"""Revocations of OpenPGP keys: made with the reason that was asked, checked, applied once (KEY-5).

A clean gpg, gpgv and sqv say what each reason does to old signatures.
"""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pai_signer.adapters import gpg_revocation
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp import parse_key_listing
from pai_signer.domain.openpgp_certificate import (
    armored,
    dearmored,
    key_revocation_codes,
    split_packets,
)
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.revocation import STOCK_TOOLS_HARD, STOCK_TOOLS_SOFT
from pai_signer.errors import FormatError, UntrustedKey
from tests.adapters.gpg.homes import DATA, refused, state
from tests.adapters.gpg.old_keys import (
    BIRTH,
    COMPROMISED,
    LATER,
    RETIRED,
    SUPERSEDED,
    Judges,
    listed,
    old_key,
)
from tests.keys import (
    FixedClock,
    RealClock,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

# --- making a revocation ------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(RevocationReason))
def test_revocation_does_in_a_clean_gpg_and_in_sqv_what_its_reason_says(
    reason: RevocationReason, tmp_path: Path, expired_home: Path, life: GpgLife
) -> None:
    key, before = old_key(), state(expired_home)
    made = life.make_revocation(key.fingerprint, reason, "Moved: a \\x3a b", weak_passphrase())
    assert state(expired_home) == before, "it is made, not imported"
    assert (made.reason, made.text) == (reason, "Moved: a \\x3a b")
    judges = Judges(tmp_path / "judge", key.certificate)
    (judges.folder / "rev.asc").write_bytes(made.block)
    shown = judges.gpg("--list-packets", judges.folder / "rev.asc")
    code = {SUPERSEDED: b"0x01", COMPROMISED: b"0x02", RETIRED: b"0x03"}[reason]
    assert b"sigclass 0x20" in shown
    assert b"revocation reason " + code in shown
    assert judges.sqv(key.signature)
    judges.gpg("--import", judges.folder / "rev.asc")
    (found,) = parse_key_listing(judges.gpg("--with-colons", "--list-keys"))
    assert found.primary.validity == "r"
    for certificate in (judges.gpg("--armor", "--export").decode(), made.certificate):
        (judges.folder / "cert.asc").write_text(certificate)
        assert judges.sqv(key.signature) == (not reason.is_hard)
    assert key_revocation_codes(made.certificate) == (reason.value,)


@pytest.mark.parametrize("reason", list(RevocationReason))
@pytest.mark.parametrize("expires", ["2024-06-01", "2090-01-01"])
def test_stock_tools_say_of_old_signatures_what_we_tell_before_a_revocation(
    reason: RevocationReason, expires: str, tmp_path: Path
) -> None:
    """gpg warns and exits with 0, gpgv does not look, sqv goes by the reason (``STOCK_TOOLS``)."""
    key = old_key(expires, expires)
    key.install(tmp_path / "gnupg")
    life = GpgLife(tmp_path / "gnupg", RealClock())
    made = life.make_revocation(key.fingerprint, reason, "", weak_passphrase())
    judges = Judges(tmp_path / "judge", made.certificate)
    assert judges.says("gpgv", "cert.gpg", key.signature)
    assert judges.sqv(key.signature) == (not reason.is_hard)
    (judges.folder / "sig.asc").write_bytes(key.signature)
    home, signed = judges.folder / "home", (judges.folder / "sig.asc", judges.folder / "data")
    said = subprocess.run(
        ["gpg", "--homedir", home, "--status-fd", "1", "--verify", *signed],
        check=False,
        capture_output=True,
    )
    assert said.returncode == 0
    assert b"WARNING: This key has been revoked by its owner!" in said.stderr
    # The trap: of an expired key the verdict is EXPKEYSIG, even if it was compromised.
    verdict = b"EXPKEYSIG" if expires < "2026" else b"REVKEYSIG"
    assert b"[GNUPG:] " + verdict in said.stdout
    assert b"[GNUPG:] KEYREVOKED" in said.stdout
    refused(
        "SIG-5/key-revoked",
        GpgVerifier(RealClock()).verify_detached,
        DATA,
        key.signature,
        [made.certificate],
        [key.fingerprint],
    )
    told = " ".join((*STOCK_TOOLS_HARD, *STOCK_TOOLS_SOFT))
    assert all(tool in told for tool in ("gpg --verify: good", "gpgv: good", "sqv: "))


def test_superseded_revocation_counts_from_its_date_on(
    tmp_path: Path, expired_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Made at birth, it rejects all that was signed since: rotation wants a fresh one.
    key = old_key()
    real = GpgHome.run

    def at_birth(self: GpgHome, arguments: list[str], **options: object) -> Finished:
        if "--gen-revoke" in arguments:
            arguments = ["--faked-system-time", f"{BIRTH}!", *arguments]
        return real(self, arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(GpgHome, "run", at_birth)
    life = GpgLife(expired_home, RealClock())
    made = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase())
    assert made.created_at == datetime(2023, 1, 1, tzinfo=UTC)
    assert not Judges(tmp_path / "judge", made.certificate).sqv(key.signature)


def test_wrong_passphrase_makes_no_revocation(expired_home: Path, life: GpgLife) -> None:
    before = state(expired_home)
    arguments = (old_key().fingerprint, SUPERSEDED, "x", weak_passphrase(b"something"))
    refused("KEY-1/wrong-passphrase", life.make_revocation, *arguments)
    assert state(expired_home) == before


@pytest.mark.parametrize("text", ["a\n\nb", "a\nb", "ü", "\x1b[2J", " a", "a ", "x" * 201])
def test_revocation_text_that_gpg_would_read_otherwise_is_refused(text: str, life: GpgLife) -> None:
    arguments = (old_key().fingerprint, SUPERSEDED, text, weak_passphrase())
    refused("KEY-5/revocation-text", life.make_revocation, *arguments)


def test_revocation_with_another_reason_than_asked_is_thrown_away(
    life: GpgLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The numbers of gpg's menu are not those of the packets.
    wrong = {SUPERSEDED: "1", COMPROMISED: "2", RETIRED: "2"}
    monkeypatch.setattr(gpg_revocation, "_MENU", wrong)
    for reason in RevocationReason:
        arguments = (old_key().fingerprint, reason, "", weak_passphrase())
        refused("KEY-5/not-as-asked", life.make_revocation, *arguments)


# --- checking and applying one ------------------------------------------------------------


def test_applied_revocation_ends_signing_and_extending(home: Path) -> None:
    life, keys = GpgLife(home, RealClock()), GpgKeys(home, RealClock())
    fingerprint = weak_openpgp_key().info.fingerprint
    signature = keys.sign_detached(DATA, fingerprint, weak_passphrase())
    made = life.make_revocation(fingerprint, SUPERSEDED, "Rotated", weak_passphrase())
    applied = life.apply_revocation(fingerprint, made.block)
    assert (applied.reason, applied.text, applied.created_at) == (
        SUPERSEDED,
        "Rotated",
        made.created_at,
    )
    assert listed(home, fingerprint).primary.validity == "r"
    assert isinstance(
        refused(
            "SIG-5/key-revoked",
            GpgVerifier(RealClock()).verify_detached,
            DATA,
            signature,
            [applied.certificate],
            [fingerprint],
        ),
        UntrustedKey,
    )
    for act in (
        lambda: keys.sign_detached(DATA, fingerprint, weak_passphrase()),
        lambda: life.extend(fingerprint, LATER, weak_passphrase()),
        lambda: life.prove_primary(fingerprint, weak_passphrase()),
    ):
        refused("POL-6/revoked", act)


def test_revoking_twice_is_once_and_compromised_may_follow_superseded(
    tmp_path: Path, expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    soft = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase())
    first = life.apply_revocation(key.fingerprint, soft.block)
    assert life.apply_revocation(key.fingerprint, soft.block) == first
    assert Judges(tmp_path / "soft", first.certificate).sqv(key.signature)
    hard = life.make_revocation(key.fingerprint, COMPROMISED, "Stolen", weak_passphrase())
    second = life.apply_revocation(key.fingerprint, hard.block)
    assert (second.reason, second.text) == (COMPROMISED, "Stolen")
    assert set(split_packets(dearmored(first.certificate))) < set(
        split_packets(dearmored(second.certificate))
    )
    assert not Judges(tmp_path / "hard", second.certificate).sqv(key.signature)


def test_checking_a_revocation_changes_nothing(expired_home: Path, life: GpgLife) -> None:
    key = old_key()
    made = life.make_revocation(key.fingerprint, COMPROMISED, "x", weak_passphrase())
    before = state(expired_home)
    assert life.check_revocation(key.fingerprint, made.block) == made
    assert state(expired_home) == before


def test_revocation_of_another_key_or_a_damaged_one_is_refused(
    expired_home: Path, life: GpgLife
) -> None:
    key, before = old_key(), state(expired_home)
    made = life.make_revocation(key.fingerprint, COMPROMISED, "x", weak_passphrase())
    packet = bytearray(dearmored(made.block.decode()))
    packet[-1] ^= 1
    other = scratch_key()
    for bad in (other.revocation, armored(bytes(packet)).encode()):
        for act in (life.check_revocation, life.apply_revocation):
            assert isinstance(refused("KEY-5/revocation", act, key.fingerprint, bad), FormatError)
    assert state(expired_home) == before


def test_revocation_without_a_reason_is_refused(tmp_path: Path) -> None:
    # gpg makes one at birth (openpgp-revocs.d); it would kill every old signature.
    key, home = scratch_key(), tmp_path / "stock"
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
    life = GpgLife(home, RealClock())
    refused("KEY-5/reason", life.apply_revocation, key.fingerprint, key.revocation)
    assert listed(home, key.fingerprint).primary.validity != "r"


def test_nothing_is_smuggled_in_beside_a_revocation(expired_home: Path, life: GpgLife) -> None:
    key, before = old_key(), state(expired_home)
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    packet, stranger = dearmored(block.decode()), dearmored(scratch_key().certificate)
    for bad, code in (
        (armored(packet + stranger).encode(), "KEY-5/revocation"),
        (armored(packet * 2).encode(), "KEY-5/revocation"),
        (scratch_key().certificate.encode(), "KEY-5/revocation"),
        (block + scratch_key().certificate.encode(), "SIG-3/format"),
        (b":" + block, "SIG-3/format"),
        (b"", "SIG-3/format"),
    ):
        refused(code, life.apply_revocation, key.fingerprint, bad)
    assert state(expired_home) == before


def test_revocation_of_the_future_is_refused(expired_home: Path, life: GpgLife) -> None:
    key, before = old_key(), state(expired_home)
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    behind = GpgLife(expired_home, FixedClock(datetime.now(UTC) - timedelta(days=1)))
    refused("KEY-5/future-date", behind.apply_revocation, key.fingerprint, block)
    assert state(expired_home) == before


def test_revocation_imports_although_the_vault_has_no_trustdb(
    expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    # What "trust-model pgp" in our homes is for.
    with throwaway_home(for_secrets=False) as scratch:
        always = ["--trust-model", "always", "--import"]
        succeeded(scratch.run(always, stdin=key.certificate.encode()))
        trap = scratch.run(always, stdin=block)
        assert trap.exit_code != 0
        assert b"trustdb" in trap.stderr
    (expired_home / "trustdb.gpg").unlink(missing_ok=True)
    assert life.apply_revocation(key.fingerprint, block).reason is SUPERSEDED
