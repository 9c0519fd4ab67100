"""A new expiry for an OpenPGP key and each of its subkeys, or nothing at all (KEY-4).

Old signatures and new ones verify afterwards, with stock gpgv and sqv as judges.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import gpg_life
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.domain.openpgp import ListedKey
from pai_signer.errors import CannotTell, PolicyRefused, ToolError
from tests.adapters.gpg.homes import DATA, refused, state
from tests.adapters.gpg.old_keys import LATER, SUPERSEDED, UNTIL, Judges, at, expiry_dates, old_key
from tests.keys import FixedClock, RealClock, succeeded, weak_openpgp_key, weak_passphrase

# --- extending ----------------------------------------------------------------------------


def test_old_and_new_signatures_verify_after_an_expired_key_was_extended(
    tmp_path: Path, expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    keys = GpgKeys(expired_home, RealClock())
    refused("POL-6/expired", keys.sign_detached, DATA, key.fingerprint, weak_passphrase())
    info = life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(expired_home, key.fingerprint) == [UNTIL, UNTIL]
    assert (info.fingerprint, info.signing_fingerprint) == (key.fingerprint, key.subkey)
    assert info.expires_at is not None
    assert info.expires_at.date() == UNTIL
    new = keys.sign_detached(DATA, key.fingerprint, weak_passphrase())
    merged = life.merged_certificate([key.certificate, info.certificate])
    judges = Judges(tmp_path / "merged", merged)
    for signature in (key.signature, new):
        assert judges.sqv(signature)
        assert judges.gpgv(signature)
        GpgVerifier(RealClock()).verify_detached(DATA, signature, [merged], [key.fingerprint])


def test_extension_begun_elsewhere_is_completed(expired_home: Path, life: GpgLife) -> None:
    key = old_key()
    with vault_home(expired_home) as opened:
        arguments = ["--quick-set-expire", key.fingerprint, UNTIL.isoformat()]
        succeeded(opened.run(arguments, passphrase=weak_passphrase()))
    assert expiry_dates(expired_home, key.fingerprint) == [UNTIL, date(2024, 6, 1)]
    life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(expired_home, key.fingerprint) == [UNTIL, UNTIL]


def test_failure_between_primary_and_subkey_changes_nothing_and_the_next_call_completes(
    expired_home: Path, life: GpgLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before, calls = old_key(), state(expired_home), []
    real = gpg_life._set_expiry

    def fail_second(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise ToolError("TEST/x", "x", "x")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gpg_life, "_set_expiry", fail_second)
    refused("TEST/x", life.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert len(calls) == 2
    assert state(expired_home) == before
    life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(expired_home, key.fingerprint) == [UNTIL, UNTIL]


def test_a_date_that_gpg_left_out_is_noticed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gpg ends with 0 where it skips a subkey: the date is asserted for each key."""
    life, before = GpgLife(home, RealClock()), state(home)
    real = gpg_life._set_expiry

    def primary_alone(copy: GpgHome, primary: ListedKey, changed: ListedKey, *rest: Any) -> None:
        if changed.is_primary:
            real(copy, primary, changed, *rest)

    monkeypatch.setattr(gpg_life, "_set_expiry", primary_alone)
    fingerprint = weak_openpgp_key().info.fingerprint
    refused("KEY-4/expiry", life.extend, fingerprint, LATER, weak_passphrase())
    assert state(home) == before


def test_extension_to_the_date_it_has_changes_nothing_but_wants_the_passphrase(
    home: Path,
) -> None:
    life, fingerprint, before = (
        GpgLife(home, RealClock()),
        weak_openpgp_key().info.fingerprint,
        state(home),
    )
    info = life.extend(fingerprint, UNTIL, weak_passphrase())
    assert info.expires_at == weak_openpgp_key().info.expires_at
    refused(
        "KEY-1/wrong-passphrase", life.extend, fingerprint, UNTIL, weak_passphrase(b"something")
    )
    assert state(home) == before


# --- what is not extended -----------------------------------------------------------------


def test_wrong_passphrase_extends_nothing(expired_home: Path, life: GpgLife) -> None:
    before = state(expired_home)
    arguments = (old_key().fingerprint, UNTIL, weak_passphrase(b"something"))
    assert isinstance(refused("KEY-1/wrong-passphrase", life.extend, *arguments), PolicyRefused)
    assert state(expired_home) == before


def test_date_that_is_not_later_is_refused(home: Path) -> None:
    life, fingerprint = GpgLife(home, RealClock()), weak_openpgp_key().info.fingerprint
    before = state(home)
    for day in (UNTIL - timedelta(days=1), datetime.now(UTC).date(), date(2020, 1, 1)):
        refused("KEY-4/not-later", life.extend, fingerprint, day, weak_passphrase())
    assert state(home) == before


def test_expired_key_is_not_extended_to_a_day_that_is_over(
    expired_home: Path, life: GpgLife
) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    refused("KEY-4/not-later", life.extend, old_key().fingerprint, yesterday, weak_passphrase())


def test_date_that_gpg_cannot_write_changes_nothing(expired_home: Path, life: GpgLife) -> None:
    before = state(expired_home)
    with pytest.raises(ToolError):
        life.extend(old_key().fingerprint, date(2150, 1, 1), weak_passphrase())
    assert state(expired_home) == before


def test_subkey_that_never_expires_stays_so(tmp_path: Path) -> None:
    key, home = old_key(subkey_expires="never"), tmp_path / "never"
    key.install(home)
    GpgLife(home, RealClock()).extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [UNTIL, None]


def test_life_of_a_subkey_is_not_shortened_beside_an_expired_primary(tmp_path: Path) -> None:
    """gpg 2.4 lists such a subkey as expired with its primary, whatever its own date."""
    key, home = old_key(subkey_expires=LATER.isoformat()), tmp_path / "later"
    key.install(home)
    before, life = state(home), GpgLife(home, RealClock())
    refused("KEY-4/not-later", life.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert state(home) == before
    life.extend(key.fingerprint, LATER, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [LATER, LATER]


def test_key_that_never_expires_is_not_given_an_end(tmp_path: Path) -> None:
    key, home = old_key("never", "never"), tmp_path / "never"
    key.install(home)
    life = GpgLife(home, RealClock())
    refused("KEY-4/never-expires", life.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [None, None]


def test_clock_behind_the_newest_self_signature_is_refused_before_gpg_is_asked(
    expired_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before = old_key(), state(expired_home)
    monkeypatch.setattr(gpg_life, "_set_expiry", lambda *_: pytest.fail("too late"))
    behind = GpgLife(expired_home, FixedClock(datetime(2022, 12, 31, 23, 59, 59, tzinfo=UTC)))
    refused("POL-8/before-key", behind.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert state(expired_home) == before


@pytest.mark.parametrize("act", ["extend", "make_revocation", "prove_primary"])
def test_key_with_a_self_signature_from_the_future_waits(
    act: str, expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%dT%H%M%S}"
    with vault_home(expired_home) as opened:
        at(opened, tomorrow, "--quick-set-expire", key.fingerprint, UNTIL.isoformat())
    before = state(expired_home)
    calls: dict[str, Callable[[], object]] = {
        "extend": lambda: life.extend(key.fingerprint, LATER, weak_passphrase()),
        "make_revocation": lambda: life.make_revocation(
            key.fingerprint, SUPERSEDED, "", weak_passphrase()
        ),
        "prove_primary": lambda: life.prove_primary(key.fingerprint, weak_passphrase()),
    }
    refused("POL-8/before-key", calls[act])
    assert state(expired_home) == before


def test_key_without_its_primary_secret_is_not_extended(tmp_path: Path) -> None:
    key = weak_openpgp_key()
    with throwaway_home(for_secrets=True) as scratch:
        succeeded(scratch.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
        arguments = ["--export-secret-subkeys"]
        stub = succeeded(scratch.run(arguments, passphrase=weak_passphrase())).stdout
    with vault_home(tmp_path / "stub") as opened:
        succeeded(opened.run(["--import"], stdin=stub, passphrase=weak_passphrase()))
    life = GpgLife(tmp_path / "stub", RealClock())
    for act in (
        lambda: life.extend(key.info.fingerprint, LATER, weak_passphrase()),
        lambda: life.prove_primary(key.info.fingerprint, weak_passphrase()),
        lambda: life.make_revocation(key.info.fingerprint, SUPERSEDED, "", weak_passphrase()),
    ):
        refused("KEY-1/primary-missing", act)


def test_unknown_and_short_fingerprints_name_no_key(life: GpgLife) -> None:
    assert isinstance(
        refused("KEY-1/no-secret-key", life.extend, "A" * 40, UNTIL, weak_passphrase()), CannotTell
    )
    short = old_key().fingerprint[-16:]
    refused("KEY-2/fingerprint", life.extend, short, UNTIL, weak_passphrase())
