"""Copies of minisign keys for custodians, and their proof; stock minisign judges (CUS-1, CUS-2)."""

import base64
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import minisign
import pytest

from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.minisign_backup import MinisignBackups
from pai_signer.adapters.minisign_secret import KeyFiles
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.domain.minisig import (
    STOCK_LIMITS,
    MinisignPublicKey,
    parse_public_key,
    parse_secret_key_header,
    secret_key_salt,
    trusted_comment,
)
from pai_signer.domain.registry import REHEARSAL_MARK
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
)
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_SCRYPT_LIMITS,
    new_weak_minisign_key,
    weak_minisign_key,
    weak_passphrase,
)

NEW = b"the custodian's own phrase"
CHALLENGE = b"# PROOF OF POSSESSION, neither a release nor a tag\nnonce 00\n"
DIGEST = hashlib.blake2b(CHALLENGE).digest()
COMMENT = trusted_comment("PAI proof", "000001", "challenge.txt")
VERIFIER = CryptographyMinisignVerifier()


def backups_over(folder: Path, *, rehearsal: bool = False) -> MinisignBackups:
    def plenty() -> int:
        return 8 << 30

    keys = MinisignKeyDirectory(
        folder, limits=WEAK_SCRYPT_LIMITS, memory_available=plenty, rehearsal=rehearsal
    )
    return MinisignBackups(keys, KeyFiles(WEAK_SCRYPT_LIMITS, plenty, rehearsal=rehearsal))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A vault's key folder that holds the weak key."""
    key = weak_minisign_key()
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / f"{parse_public_key(key.public_key).shown_id}.key").write_bytes(key.key_file)
    return folder


@pytest.fixture
def backups(stored: Path) -> MinisignBackups:
    return backups_over(stored)


def wrap(backups: MinisignBackups, new: bytes = NEW, old: bytes = WEAK_PASSPHRASE) -> bytes:
    return backups.wrap(
        weak_minisign_key().public_key, Secret(bytearray(old)), weak_passphrase(new)
    )


def prove(
    backups: MinisignBackups,
    key_file: bytes,
    passphrase: bytes = NEW,
    public_key: str = "",
) -> bytes:
    return backups.prove(
        key_file,
        weak_passphrase(passphrase),
        public_key or weak_minisign_key().public_key,
        CHALLENGE,
        COMMENT,
    )


def refused(code: str, call: Callable[[], object]) -> SignerError:
    with pytest.raises(SignerError) as caught:
        call()
    assert caught.value.code == code
    assert not any(
        phrase.decode() in caught.value.summary + caught.value.hint
        for phrase in (NEW, WEAK_PASSPHRASE)
    )
    return caught.value


def edited(key_file: bytes, change: Callable[[bytearray], None]) -> bytes:
    comment, line = key_file.splitlines()
    blob = bytearray(base64.b64decode(line))
    change(blob)
    return comment + b"\n" + base64.b64encode(blob) + b"\n"


# --- wrapping -----------------------------------------------------------------------------


def test_a_copy_is_a_stock_file_of_the_same_key_under_the_new_passphrase(
    stored: Path, backups: MinisignBackups
) -> None:
    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    copy = wrap(backups)
    assert copy.startswith(b"untrusted comment: minisign encrypted secret key\n")
    assert copy.endswith(b"\n")
    assert copy.count(b"\n") == 2
    assert parse_secret_key_header(copy).limits == WEAK_SCRYPT_LIMITS
    with minisign.SecretKey.from_bytes(copy) as opened:
        with pytest.raises(minisign.Error):
            opened.decrypt(WEAK_PASSPHRASE.decode())
        opened.decrypt(NEW.decode())
        line = opened.get_public_key().to_base64().decode("ascii")
    assert line == weak_minisign_key().public_key  # the key ID is in it
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before


def test_every_copy_has_a_salt_of_its_own(backups: MinisignBackups) -> None:
    first, second = wrap(backups), wrap(backups, b"another custodian's phrase")
    again = wrap(backups)
    salts = {secret_key_salt(f) for f in (first, second, again, weak_minisign_key().key_file)}
    assert len(salts) == 4
    assert all(len(salt) == 64 for salt in salts)


def test_a_library_that_keeps_the_salt_is_noticed(
    backups: MinisignBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypt = minisign.SecretKey.encrypt
    salt = bytes.fromhex(secret_key_salt(weak_minisign_key().key_file))

    def salted(key: minisign.SecretKey, password: str, **how: int) -> None:
        encrypt(key, password, **how)
        key._kdf_salt = salt

    monkeypatch.setattr(minisign.SecretKey, "encrypt", salted)
    assert isinstance(refused("CUS-1/salt", lambda: wrap(backups)), CannotTell)


def test_a_library_that_does_not_encrypt_is_noticed(
    backups: MinisignBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that says that it is encrypted and opens with any passphrase."""
    encrypt = minisign.SecretKey.encrypt

    def open_all_the_same(key: minisign.SecretKey, password: str, **how: int) -> None:
        held = bytes(key._keynum_sk)
        encrypt(key, password, **how)
        key._keynum_sk = type(key._keynum_sk).from_bytes(held)

    monkeypatch.setattr(minisign.SecretKey, "encrypt", open_all_the_same)
    refused("KEY-1/unprotected", lambda: wrap(backups))


def test_a_library_that_wrote_weaker_limits_is_noticed(
    backups: MinisignBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypt = minisign.SecretKey.encrypt

    def weakly(key: minisign.SecretKey, password: str, **_: object) -> None:
        encrypt(key, password, opslimit=WEAK_SCRYPT_LIMITS.ops // 2, memlimit=1 << 20)

    monkeypatch.setattr(minisign.SecretKey, "encrypt", weakly)
    refused("KEY-1/limits-not-written", lambda: wrap(backups))


def test_a_library_that_takes_another_passphrase_is_noticed(
    backups: MinisignBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypt = minisign.SecretKey.encrypt

    def deaf(key: minisign.SecretKey, password: str, **how: int) -> None:
        encrypt(key, "quite another one", **how)

    monkeypatch.setattr(minisign.SecretKey, "encrypt", deaf)
    refused("KEY-1/wrong-passphrase", lambda: wrap(backups))


def test_a_copy_is_never_made_under_the_workstations_passphrase(backups: MinisignBackups) -> None:
    error = refused("CUS-1/same-passphrase", lambda: wrap(backups, WEAK_PASSPHRASE))
    assert isinstance(error, PolicyRefused)


def test_a_copy_is_never_made_under_an_empty_passphrase(backups: MinisignBackups) -> None:
    refused("KEY-1/empty-passphrase", lambda: wrap(backups, b""))
    refused("KEY-1/empty-passphrase", lambda: wrap(backups, old=b""))


def test_the_workstations_passphrase_must_open_its_key(backups: MinisignBackups) -> None:
    refused("KEY-1/wrong-passphrase", lambda: wrap(backups, old=b"mistyped"))


def test_another_key_under_the_same_id_is_not_copied(stored: Path) -> None:
    key = weak_minisign_key()
    other = parse_public_key(new_weak_minisign_key().public_key)
    twin = MinisignPublicKey(parse_public_key(key.public_key).key_id, other.ed25519)
    error = refused(
        "KEY-2/other-key",
        lambda: backups_over(stored).wrap(twin.line, weak_passphrase(), weak_passphrase(NEW)),
    )
    assert isinstance(error, UntrustedKey)


def test_a_copy_of_a_rehearsal_says_so_and_proves_nothing_elsewhere(tmp_path: Path) -> None:
    keys = MinisignKeyDirectory(
        tmp_path, limits=WEAK_SCRYPT_LIMITS, memory_available=lambda: 8 << 30, rehearsal=True
    )
    public_key = keys.generate(weak_passphrase())
    rehearsing = backups_over(tmp_path, rehearsal=True)
    copy = rehearsing.wrap(public_key, weak_passphrase(), weak_passphrase(NEW))
    assert REHEARSAL_MARK.encode() in copy.splitlines()[0]
    prove(rehearsing, copy, public_key=public_key)
    refused("KEY-2/rehearsal", lambda: prove(backups_over(tmp_path), copy, public_key=public_key))


@pytest.mark.slow
def test_stock_minisign_signs_with_a_copy_at_full_strength(tmp_path: Path) -> None:
    key = weak_minisign_key()
    with minisign.SecretKey.from_bytes(key.key_file) as secret_key:
        secret_key.decrypt(WEAK_PASSPHRASE.decode())
        copy = KeyFiles().locked(secret_key, weak_passphrase(NEW))
    assert parse_secret_key_header(copy).limits == STOCK_LIMITS
    (tmp_path / "minisign.key").write_bytes(copy)
    (tmp_path / "f").write_bytes(CHALLENGE)

    def stock(*arguments: str | Path, typed: bytes = b"") -> int:
        command = ["minisign", *arguments, "-m", tmp_path / "f"]
        return subprocess.run(
            command, input=typed, capture_output=True, check=False, timeout=120
        ).returncode

    assert stock("-S", "-s", tmp_path / "minisign.key", typed=NEW + b"\n") == 0
    assert stock("-V", "-P", key.public_key) == 0
    assert VERIFIER.verify((tmp_path / "f.minisig").read_bytes(), DIGEST, key.public_key)


# --- proving ------------------------------------------------------------------------------


def test_a_proof_is_a_signature_of_the_challenge_by_the_copy(backups: MinisignBackups) -> None:
    signature = prove(backups, wrap(backups))
    assert VERIFIER.verify(signature, DIGEST, weak_minisign_key().public_key) == COMMENT


def test_a_wrong_passphrase_is_told_as_such(backups: MinisignBackups) -> None:
    copy = wrap(backups)
    error = refused("KEY-1/wrong-passphrase", lambda: prove(backups, copy, WEAK_PASSPHRASE))
    assert isinstance(error, PolicyRefused)
    refused("KEY-1/empty-passphrase", lambda: prove(backups, copy, b""))


def test_a_wrong_passphrase_is_tried_before_the_right_one(
    backups: MinisignBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, tried = wrap(backups), []
    decrypt = minisign.SecretKey.decrypt

    def watch(key: minisign.SecretKey, password: str) -> None:
        tried.append(bytes(password.encode()))
        decrypt(key, password)

    monkeypatch.setattr(minisign.SecretKey, "decrypt", watch)
    prove(backups, copy)
    assert len(tried) == 2
    assert tried[0] != NEW
    assert tried[1] == NEW


def test_another_key_proves_nothing(backups: MinisignBackups) -> None:
    other = new_weak_minisign_key()
    error = refused("KEY-2/other-key", lambda: prove(backups, other.key_file, WEAK_PASSPHRASE))
    assert isinstance(error, UntrustedKey)
    # ... not even under the ID of the registry's: whole public keys are compared.
    genuine = parse_public_key(weak_minisign_key().public_key)
    twin = MinisignPublicKey(genuine.key_id, parse_public_key(other.public_key).ed25519)
    copy = wrap(backups)
    refused("KEY-2/other-key", lambda: prove(backups, copy, public_key=twin.line))


def test_an_open_key_proves_nothing(backups: MinisignBackups) -> None:
    with minisign.SecretKey.from_bytes(weak_minisign_key().key_file) as key:
        key.remove_password(WEAK_PASSPHRASE.decode())
        open_file = bytes(key) + b"\n"

    def claim(blob: bytearray) -> None:
        blob[2:4] = b"Sc"
        blob[38:46] = WEAK_SCRYPT_LIMITS.ops.to_bytes(8, "little")
        blob[46:54] = WEAK_SCRYPT_LIMITS.memory_bytes.to_bytes(8, "little")

    refused("KEY-1/unprotected", lambda: prove(backups, open_file))
    refused("KEY-1/unprotected", lambda: prove(backups, edited(open_file, claim)))


def test_a_weakly_hashed_key_proves_nothing(tmp_path: Path, backups: MinisignBackups) -> None:
    copy = wrap(backups)
    strict = MinisignBackups(MinisignKeyDirectory(tmp_path), KeyFiles())
    refused("KEY-1/scrypt-weak", lambda: prove(strict, copy))


@pytest.mark.parametrize("garbage", [b"", b"x\ny\n", b"\0" * 99, b"x" * 100_000])
def test_what_is_no_key_file_is_told_as_such(garbage: bytes, backups: MinisignBackups) -> None:
    assert isinstance(refused("SIG-2/format", lambda: prove(backups, garbage)), FormatError)


def test_no_flipped_byte_of_a_copy_is_ever_proved(backups: MinisignBackups) -> None:
    """Each byte of the 158, and of the text around them: refused, or another file of this key.

    What stays a proof is only what the key's bytes do not depend on: the comment.
    """
    copy = wrap(backups)
    line_at = copy.index(b"\n") + 1
    for at in range(line_at, len(copy) - 1):
        damaged = bytearray(copy)
        damaged[at] ^= 1
        if asks_for_more(bytes(damaged)):
            continue  # room that only the weak limits of tests leave; see below
        with pytest.raises(SignerError) as caught:
            prove(backups, bytes(damaged))
        assert caught.value.exit_code in (3, 4)


def asks_for_more(key_file: bytes) -> bool:
    """Whether it is a key file that wants more hashing than the tests' weak ones."""
    try:
        limits = parse_secret_key_header(key_file).limits
    except SignerError:
        return False
    return limits != WEAK_SCRYPT_LIMITS and limits.at_least(WEAK_SCRYPT_LIMITS)


def test_no_stronger_hashing_than_stock_is_ever_tried(backups: MinisignBackups) -> None:
    """Slightly more would hash alike and open: real limits leave no room above or below."""

    def raised(blob: bytearray) -> None:
        blob[38:46] = (STOCK_LIMITS.ops + 64).to_bytes(8, "little")
        blob[46:54] = STOCK_LIMITS.memory_bytes.to_bytes(8, "little")

    refused("KEY-1/scrypt-excessive", lambda: prove(backups, edited(wrap(backups), raised)))


def test_a_truncated_copy_is_never_proved(backups: MinisignBackups) -> None:
    copy = wrap(backups)
    for length in (0, 1, len(copy) // 2, len(copy) - 2):
        refused("SIG-2/format", lambda length=length: prove(backups, copy[:length]))  # type: ignore[misc]
