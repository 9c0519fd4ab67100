"""Generating an OpenPGP key, and what is left where that fails or is cut short (KEY-1, SEC-2)."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pai_signer.adapters import durable, gpg_commands
from pai_signer.adapters.gpg_home import vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.domain.openpgp import parse_key_listing
from pai_signer.domain.openpgp_certificate import dearmored
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, FormatError, PolicyRefused, ToolError, UsageError
from tests.adapters.gpg.homes import DATA, fingerprints, private_keys, refused
from tests.keys import WEAK_USER_ID, WEAK_VALID_UNTIL, RealClock, weak_openpgp_key, weak_passphrase
from tests.watching import watched

# --- generating ---------------------------------------------------------------------------


def test_generated_key_is_a_certifying_primary_with_a_signing_subkey(home: Path) -> None:
    info = weak_openpgp_key().info
    with vault_home(home) as opened:
        listing = opened.run(["--with-colons", "--list-secret-keys"]).stdout
    (certificate,) = parse_key_listing(listing)
    (subkey,) = certificate.subkeys
    assert (certificate.primary.flags, subkey.flags) == ("c", "s")
    assert (certificate.primary.algorithm, subkey.algorithm) == ("ed25519", "ed25519")
    for key in (certificate.primary, subkey):
        assert key.expires_at is not None
        assert key.expires_at.date() == WEAK_VALID_UNTIL
    assert info.fingerprint == certificate.primary.fingerprint
    assert info.signing_fingerprint == subkey.fingerprint
    assert info.user_id == WEAK_USER_ID
    assert info.expires_at == subkey.expires_at
    assert info.certificate.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")


@pytest.mark.usefixtures("stock_strength")
def test_generated_secret_keys_are_protected_as_strongly_as_openpgp_can_say(
    empty: GpgKeys, tmp_path: Path
) -> None:
    empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    files = sorted(tmp_path.glob("empty/private-keys-v1.d/*.key"))
    assert len(files) == 2
    for file in files:
        content = file.read_bytes()
        assert b"protected-private-key" in content
        assert b"65011712" in content


def test_two_keys_may_have_the_same_user_id(keys: GpgKeys, home: Path) -> None:
    second = keys.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    assert sorted(fingerprints(home)) == sorted(
        [weak_openpgp_key().info.fingerprint, second.fingerprint]
    )


def test_a_name_in_other_letters_is_kept(tmp_path: Path, empty: GpgKeys) -> None:
    name = "Zoë Żółkiewska <zoe@test.invalid>"
    made = empty.generate(name, WEAK_VALID_UNTIL, weak_passphrase())
    assert made.user_id == name
    # What goes into the certificate is UTF-8, whatever the terminal speaks.
    assert name.encode() in dearmored(made.certificate)


@pytest.mark.parametrize(
    "user_id", ["A\n%no-protection <a@b.c>", "A <a@b.c>\x1b", "<a@b.c>", "A <b> <a@b.c>", ""]
)
def test_user_id_injection_makes_no_key(user_id: str, tmp_path: Path, empty: GpgKeys) -> None:
    assert isinstance(
        refused("KEY-1/user-id", empty.generate, user_id, WEAK_VALID_UNTIL, weak_passphrase()),
        FormatError,
    )
    assert not (tmp_path / "empty").exists()


def test_user_id_like_an_option_is_only_a_name(empty: GpgKeys) -> None:
    user_id = "--version <a@b.c>"
    info = empty.generate(user_id, WEAK_VALID_UNTIL, weak_passphrase())
    assert info.user_id == user_id


@pytest.mark.parametrize("act", ["generate", "import_key", "prove", "sign_detached"])
def test_empty_passphrase_is_refused(act: str, tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    nothing = Secret(bytearray())
    calls: dict[str, Callable[[], object]] = {
        "generate": lambda: empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, nothing),
        "import_key": lambda: empty.import_key(key.secret_export, nothing),
        "prove": lambda: empty.prove(key.info.fingerprint, nothing),
        "sign_detached": lambda: empty.sign_detached(DATA, key.info.fingerprint, nothing),
    }
    refused("KEY-1/empty-passphrase", calls[act])
    assert not (tmp_path / "empty").exists()


def test_passphrase_with_a_second_line_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    two_lines = weak_passphrase(b"first\nsecond")
    assert isinstance(
        refused("KEY-1/passphrase-form", empty.generate, WEAK_USER_ID, WEAK_VALID_UNTIL, two_lines),
        UsageError,
    )
    assert not (tmp_path / "empty").exists()


def test_expiry_in_the_past_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    today = datetime.now(UTC).date()
    refused("KEY-1/valid-until", lambda: empty.generate(WEAK_USER_ID, today, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_expiry_that_gpg_cannot_write_leaves_no_key(tmp_path: Path, empty: GpgKeys) -> None:
    with pytest.raises(ToolError):
        empty.generate(WEAK_USER_ID, date(2150, 1, 1), weak_passphrase())
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []


def test_key_that_cannot_be_proved_is_removed_again(
    tmp_path: Path, empty: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BadSignature("TEST/x", "x", "x")

    monkeypatch.setattr(GpgVerifier, "verify_detached", fail)
    refused("TEST/x", empty.generate, WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    monkeypatch.undo()
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []
    assert list((tmp_path / "empty").glob("openpgp-revocs.d/*")) == []


def test_discard_removes_secret_public_and_revocation(home: Path, keys: GpgKeys) -> None:
    assert len(private_keys(home)) == 2
    keys.discard(weak_openpgp_key().info.fingerprint)
    assert fingerprints(home) == []
    assert private_keys(home) == []
    assert list(home.glob("openpgp-revocs.d/*")) == []
    keys.discard(weak_openpgp_key().info.fingerprint)


# --- cut short ----------------------------------------------------------------------------


class Killed(BaseException):
    """What no handler of the program's own takes for an error."""


def generation_killed_after(calls: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate a key in ``home``; die before the next secret file, without any clean-up."""
    real, stored = durable.create, list[Path]()

    def create(path: Path, data: bytes) -> None:
        if len(stored) == calls:
            raise Killed
        stored.append(path)
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "create", create)
        patch.setattr(gpg_commands, "remove", lambda *_: None)
        with pytest.raises(Killed):
            GpgKeys(home, RealClock()).generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())


@pytest.mark.parametrize("missing", [0, 1])
def test_key_that_lacks_either_secret_is_removed(home: Path, keys: GpgKeys, missing: int) -> None:
    (home / "private-keys-v1.d" / private_keys(home)[missing]).unlink()
    fingerprint = weak_openpgp_key().info.fingerprint
    assert not keys.is_whole(fingerprint)
    keys.discard(fingerprint)
    assert keys.stray(()) == ()
    assert private_keys(home) == []


@pytest.mark.parametrize("stored", [0, 1])
def test_key_cut_short_is_found_told_and_removed_and_another_one_is_not(
    home: Path, keys: GpgKeys, monkeypatch: pytest.MonkeyPatch, stored: int
) -> None:
    known, before = weak_openpgp_key().info.fingerprint, private_keys(home)
    generation_killed_after(stored, home, monkeypatch)
    assert len(private_keys(home)) == len(before) + stored
    (cut_short,) = keys.stray({known})
    assert not keys.is_whole(cut_short)
    assert keys.is_whole(known)
    keys.discard(cut_short)
    assert keys.stray({known}) == ()
    assert keys.stray(()) == (known,)
    assert private_keys(home) == before
    keys.prove(known, weak_passphrase())


def test_whole_key_is_adopted_by_its_own_passphrase_alone(home: Path, keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    assert keys.adopt(info.fingerprint, weak_passphrase()) == info
    before = private_keys(home)
    refused("KEY-1/wrong-passphrase", keys.adopt, info.fingerprint, weak_passphrase(b"another"))
    refused("KEY-1/empty-passphrase", keys.adopt, info.fingerprint, weak_passphrase(b""))
    refused("KEY-1/no-secret-key", keys.adopt, "A" * 40, weak_passphrase())
    assert private_keys(home) == before


# --- secrecy ------------------------------------------------------------------------------


def test_generating_leaves_no_secret_in_memory(empty: GpgKeys) -> None:
    before = set(Path("/dev/shm").glob(f"pai-{os.getpid()}-*"))
    empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    assert set(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) <= before


def test_passphrase_appears_in_no_argument_environment_file_or_error(
    tmp_path: Path, empty: GpgKeys
) -> None:
    canary = os.urandom(16).hex().encode()
    with watched(canary) as seen:
        info = empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase(canary))
        empty.sign_detached(DATA, info.fingerprint, weak_passphrase(canary))
        with pytest.raises(PolicyRefused) as caught:
            empty.prove(info.fingerprint, weak_passphrase(canary + b"x"))
    assert seen == {"gpg", "gpg-agent"}, "both were watched, and neither was given the passphrase"
    error = caught.value
    text = f"{error!r}{error}{error.summary}{error.hint}{error.__context__!r}{error.__cause__!r}"
    assert canary.decode() not in text
    files = [p for p in (tmp_path / "empty").rglob("*") if p.is_file()]
    assert len(files) > 4
    assert [p for p in files if canary in p.read_bytes()] == []
