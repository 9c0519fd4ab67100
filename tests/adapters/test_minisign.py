"""minisign signing and verifying, with the stock tool as judge."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import minisign
import pytest

from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.minisign_secret import UnlockedKey, _as_password, memory_available_bytes
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.domain.minisig import (
    STOCK_LIMITS,
    MinisignPublicKey,
    parse_public_key,
    parse_public_key_file,
    parse_secret_key_header,
    parse_signature,
    render_public_key_file,
    trusted_comment,
)
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
    UsageError,
)
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_SCRYPT_LIMITS,
    new_weak_minisign_key,
    weak_minisign_key,
    weak_minisign_keys,
    weak_passphrase,
)
from tests.watching import copies_in_memory

DATA = b"what is released\n"
DIGEST = hashlib.blake2b(DATA).digest()
COMMENT = trusted_comment("PAI", "v1.2.3", "SHA256SUMS")
VERIFIER = CryptographyMinisignVerifier()


@pytest.fixture
def keys(tmp_path: Path) -> MinisignKeyDirectory:
    return weak_minisign_keys(tmp_path / "keys")


def stored(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "keys"
    return sorted(folder.iterdir()) if folder.exists() else []


def weak_signature(comment: str = COMMENT) -> bytes:
    key = weak_minisign_key()
    with minisign.SecretKey.from_bytes(key.key_file) as secret_key:
        secret_key.decrypt(WEAK_PASSPHRASE.decode())
        return UnlockedKey(secret_key, key.public_key).sign_prehashed(DIGEST, comment)


def stock(*arguments: str | Path, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["minisign", *arguments], input=typed, capture_output=True, check=False, timeout=120
    )


def edited(key_file: bytes, change: Callable[[bytearray], None]) -> bytes:
    comment, line = key_file.splitlines()
    blob = bytearray(base64.b64decode(line))
    change(blob)
    return comment + b"\n" + base64.b64encode(blob) + b"\n"


def refused(code: str, call: Callable[..., object], *arguments: object) -> SignerError:
    with pytest.raises(SignerError) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert WEAK_PASSPHRASE.decode() not in caught.value.summary + caught.value.hint
    return caught.value


# --- signing ------------------------------------------------------------------------------


def test_stock_minisign_accepts_a_signature_made_from_the_digest_alone(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    public_key = keys.generate(weak_passphrase())
    unlocked = keys.unlock(public_key, weak_passphrase())
    signature = unlocked.sign_prehashed(DIGEST, COMMENT)
    (tmp_path / "SHA256SUMS").write_bytes(DATA)
    (tmp_path / "SHA256SUMS.minisig").write_bytes(signature)
    # -H: "Requires the input to be prehashed".
    judged = stock("-VHm", tmp_path / "SHA256SUMS", "-P", public_key)
    assert judged.returncode == 0, judged
    assert f"Trusted comment: {COMMENT}".encode() in judged.stdout
    (tmp_path / "SHA256SUMS").write_bytes(DATA + b"x")
    assert stock("-VHm", tmp_path / "SHA256SUMS", "-P", public_key).returncode != 0


def test_signature_file_is_stock_form() -> None:
    lines = weak_signature().decode().split("\n")
    assert lines[0] == "untrusted comment: signature from minisign secret key"
    assert base64.b64decode(lines[1])[:2] == b"ED"
    assert lines[2] == f"trusted comment: {COMMENT}"
    assert lines[4:] == [""], "one final newline"


def test_stock_minisign_reads_our_public_key_file_and_shows_the_same_id(tmp_path: Path) -> None:
    # A key ID with leading zeros is where printing habits differ.
    for key_id in (parse_public_key(weak_minisign_key().public_key).key_id, b"\x01" + bytes(7)):
        key = MinisignPublicKey(key_id, bytes(32))
        (tmp_path / "k.pub").write_bytes(render_public_key_file(key))
        (tmp_path / "f").write_bytes(DATA)
        (tmp_path / "f.minisig").write_bytes(weak_signature())
        told = stock("-Vm", tmp_path / "f", "-p", tmp_path / "k.pub")
        if key_id != parse_signature(weak_signature()).key_id:
            # minisign 0.12 pads it with zeros; 0.11 does not.
            shown = f"key id in the public key is 0*{key.shown_id}\n".encode()
            assert re.search(shown, told.stderr)
        else:
            assert b"Signature verification failed" in told.stderr


def test_signing_refuses_a_comment_that_cannot_be_written(keys: MinisignKeyDirectory) -> None:
    for bad in ("a\nb", "a\x1b", "\u00e9", "x" * 9000):
        refused("SIG-2/comment", weak_signature, bad)


def test_signing_refuses_anything_but_a_blake2b_512_digest(keys: MinisignKeyDirectory) -> None:
    unlocked = keys.unlock(keys.generate(weak_passphrase()), weak_passphrase())
    refused("SIG-2/digest", lambda: unlocked.sign_prehashed(bytes(32), COMMENT))


def test_wiped_key_signs_nothing(keys: MinisignKeyDirectory) -> None:
    unlocked = keys.unlock(keys.generate(weak_passphrase()), weak_passphrase())
    unlocked.wipe()
    unlocked.wipe()
    refused("SEC-4/locked", lambda: unlocked.sign_prehashed(DIGEST, COMMENT))


def test_signature_that_does_not_verify_is_never_returned(keys: MinisignKeyDirectory) -> None:
    unlocked = keys.unlock(keys.generate(weak_passphrase()), weak_passphrase())
    assert isinstance(unlocked, UnlockedKey)
    unlocked._secret_key._keynum_sk.secret_key[0] ^= 1  # a bit of memory flips
    unlocked._secret_key._update_checksum()
    refused("SIG-5/fresh-signature", lambda: unlocked.sign_prehashed(DIGEST, COMMENT))


# --- storing and unlocking ----------------------------------------------------------------


def test_generated_key_is_one_private_file_named_by_the_stock_id(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    public_key = keys.generate(weak_passphrase())
    (path,) = stored(tmp_path)
    assert path.name == f"{parse_public_key(public_key).shown_id}.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    content = path.read_bytes()
    assert content.startswith(b"untrusted comment: minisign encrypted secret key\n")
    assert content.endswith(b"\n")
    assert parse_secret_key_header(content).limits == WEAK_SCRYPT_LIMITS


def test_default_limits_are_stock_minisigns_sensitive_ones(tmp_path: Path) -> None:
    assert (STOCK_LIMITS.ops, STOCK_LIMITS.memory_bytes) == (33554432, 1073741824)
    assert MinisignKeyDirectory(tmp_path)._files.limits == STOCK_LIMITS


def test_limits_that_the_library_did_not_write_are_noticed(
    tmp_path: Path, keys: MinisignKeyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that took its own limits would weaken the key without a word."""
    encrypt = minisign.SecretKey.encrypt

    def weakly(key: minisign.SecretKey, password: str, **_: object) -> None:
        encrypt(key, password, opslimit=WEAK_SCRYPT_LIMITS.ops // 2, memlimit=1 << 20)

    monkeypatch.setattr(minisign.SecretKey, "encrypt", weakly)
    refused("KEY-1/limits-not-written", lambda: keys.generate(weak_passphrase()))
    assert stored(tmp_path) == []


@pytest.mark.parametrize("act", ["generate", "import_key", "unlock"])
def test_empty_passphrase_is_refused_before_any_work(
    act: str, tmp_path: Path, keys: MinisignKeyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = weak_minisign_key()
    monkeypatch.setattr(minisign, "KeyPair", None)
    monkeypatch.setattr(minisign, "SecretKey", None)
    empty = Secret(bytearray())
    calls: dict[str, Callable[[], object]] = {
        "generate": lambda: keys.generate(empty),
        "import_key": lambda: keys.import_key(key.key_file, empty),
        "unlock": lambda: keys.unlock(key.public_key, empty),
    }
    assert isinstance(refused("KEY-1/empty-passphrase", calls[act]), PolicyRefused)
    assert stored(tmp_path) == []


@pytest.mark.parametrize("text", [b"a\nb", b"a\tb", b"\x7f", b"x" * 256])
def test_passphrase_that_stock_tools_would_cut_is_refused(
    text: bytes, tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    error = refused("KEY-1/passphrase-form", lambda: keys.generate(weak_passphrase(text)))
    assert isinstance(error, UsageError)
    assert stored(tmp_path) == []


def test_wrong_passphrase_has_its_own_error_and_changes_nothing(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    public_key = keys.generate(weak_passphrase())
    before = stored(tmp_path)[0].read_bytes()
    error = refused(
        "KEY-1/wrong-passphrase", lambda: keys.unlock(public_key, weak_passphrase(b"x"))
    )
    assert isinstance(error, PolicyRefused)
    assert stored(tmp_path)[0].read_bytes() == before


def test_unlock_compares_whole_public_keys_not_ids(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    public_key = keys.generate(weak_passphrase())
    other = new_weak_minisign_key()
    genuine = parse_public_key(public_key)
    # The registry's key and another one under the same (random) ID.
    twin = MinisignPublicKey(genuine.key_id, parse_public_key(other.public_key).ed25519)
    error = refused("KEY-2/other-key", lambda: keys.unlock(twin.line, weak_passphrase()))
    assert isinstance(error, UntrustedKey)


def test_missing_key_is_could_not_tell(keys: MinisignKeyDirectory) -> None:
    key = weak_minisign_key()
    error = refused("KEY-1/key-file", lambda: keys.unlock(key.public_key, weak_passphrase()))
    assert isinstance(error, CannotTell)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_key_file_must_be_a_regular_file(
    kind: str, tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    key = weak_minisign_key()
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / f"{parse_public_key(key.public_key).shown_id}.key"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "elsewhere").write_bytes(key.key_file)
        path.symlink_to(tmp_path / "elsewhere")
    refused("KEY-1/key-file", lambda: keys.unlock(key.public_key, weak_passphrase()))


def test_discard_removes_the_key_file(tmp_path: Path, keys: MinisignKeyDirectory) -> None:
    public_key = keys.generate(weak_passphrase())
    keys.discard(public_key)
    assert stored(tmp_path) == []
    keys.discard(public_key)


def test_generated_key_that_does_not_open_again_is_removed(
    tmp_path: Path, keys: MinisignKeyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CannotTell("TEST/x", "x", "x")

    monkeypatch.setattr(MinisignKeyDirectory, "unlock", fail)
    refused("TEST/x", lambda: keys.generate(weak_passphrase()))
    assert stored(tmp_path) == []


# --- importing ----------------------------------------------------------------------------


def test_import_stores_the_file_as_it_was(tmp_path: Path, keys: MinisignKeyDirectory) -> None:
    key = weak_minisign_key()
    assert keys.import_key(key.key_file, weak_passphrase()) == key.public_key
    assert [p.read_bytes() for p in stored(tmp_path)] == [key.key_file]
    keys.unlock(key.public_key, weak_passphrase())
    refused("KEY-1/already-here", lambda: keys.import_key(key.key_file, weak_passphrase()))
    assert [p.read_bytes() for p in stored(tmp_path)] == [key.key_file]


def test_import_refuses_a_wrong_passphrase_and_stores_nothing(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    key = weak_minisign_key()
    refused("KEY-1/wrong-passphrase", lambda: keys.import_key(key.key_file, weak_passphrase(b"x")))
    assert stored(tmp_path) == []


def test_import_refuses_a_stock_key_without_passphrase(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    made = stock("-GW", "-p", tmp_path / "k.pub", "-s", tmp_path / "k.key")
    assert made.returncode == 0, made
    key_file = (tmp_path / "k.key").read_bytes()
    refused("KEY-1/unprotected", lambda: keys.import_key(key_file, weak_passphrase()))
    assert stored(tmp_path) == []


def test_import_refuses_an_open_key_that_claims_to_be_encrypted(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    with minisign.KeyPair.generate().secret_key as secret_key:
        open_file = bytes(secret_key)

    def claim(blob: bytearray) -> None:
        blob[2:4] = b"Sc"
        blob[38:46] = WEAK_SCRYPT_LIMITS.ops.to_bytes(8, "little")
        blob[46:54] = WEAK_SCRYPT_LIMITS.memory_bytes.to_bytes(8, "little")

    lying = edited(open_file, claim)
    refused("KEY-1/unprotected", lambda: keys.import_key(lying, weak_passphrase()))
    assert stored(tmp_path) == []


@pytest.mark.parametrize(
    ("offset", "value"), [(38, 1 << 40), (46, 1 << 40), (46, STOCK_LIMITS.memory_bytes + 1)]
)
def test_excessive_scrypt_limits_are_refused_before_any_scrypt(
    offset: int, value: int, tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    def claim(blob: bytearray) -> None:
        blob[offset : offset + 8] = value.to_bytes(8, "little")

    hostile = edited(weak_minisign_key().key_file, claim)
    started_s = time.monotonic()
    refused("KEY-1/scrypt-excessive", lambda: keys.import_key(hostile, weak_passphrase()))
    assert time.monotonic() - started_s < 1
    assert stored(tmp_path) == []


def test_import_refuses_weak_passphrase_hashing_and_says_how_to_mend_it(tmp_path: Path) -> None:
    strict = MinisignKeyDirectory(tmp_path / "keys")
    key_file = weak_minisign_key().key_file
    error = refused("KEY-1/scrypt-weak", lambda: strict.import_key(key_file, weak_passphrase()))
    assert "minisign -C -s FILE" in error.hint
    assert stored(tmp_path) == []


def test_the_library_default_limits_would_be_refused(tmp_path: Path) -> None:
    with minisign.KeyPair.generate().secret_key as secret_key:
        secret_key.encrypt("interactive")  # ops 2^20, 32 MiB
        key_file = bytes(secret_key)
    strict = MinisignKeyDirectory(tmp_path / "keys")
    refused("KEY-1/scrypt-weak", lambda: strict.import_key(key_file, weak_passphrase()))


@pytest.mark.parametrize("garbage", [b"", b"x\ny\n", b"\0" * 99, b"x" * 100_000])
def test_import_refuses_what_is_no_key_file(
    garbage: bytes, tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    error = refused("SIG-2/format", lambda: keys.import_key(garbage, weak_passphrase()))
    assert isinstance(error, FormatError)
    assert stored(tmp_path) == []


def test_each_flipped_bit_of_the_encrypted_part_is_noticed(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    for at in (54, 61, 62, 93, 94, 125, 126, 157):

        def flip(blob: bytearray, at: int = at) -> None:
            blob[at] ^= 1

        damaged = edited(weak_minisign_key().key_file, flip)
        refused("KEY-1/wrong-passphrase", keys.import_key, damaged, weak_passphrase())
    assert stored(tmp_path) == []


def test_import_refuses_halves_that_do_not_belong_together(
    tmp_path: Path, keys: MinisignKeyDirectory
) -> None:
    with minisign.KeyPair.generate().secret_key as secret_key:
        secret_key._keynum_sk.public_key[0] ^= 1
        secret_key._update_checksum()  # so that only the mathematics can tell
        secret_key.encrypt(
            WEAK_PASSPHRASE.decode(),
            opslimit=WEAK_SCRYPT_LIMITS.ops,
            memlimit=WEAK_SCRYPT_LIMITS.memory_bytes,
        )
        forged = bytes(secret_key)
    refused("KEY-1/key-halves", keys.import_key, forged, weak_passphrase())
    assert stored(tmp_path) == []


def test_a_key_that_is_still_encrypted_has_no_public_half() -> None:
    """py-minisign would read one out of the encrypted bytes."""
    locked = minisign.SecretKey.from_bytes(weak_minisign_key().key_file)
    garbage = locked.get_public_key().to_base64().decode()
    assert garbage != weak_minisign_key().public_key
    refused("KEY-1/key-halves", UnlockedKey, locked, garbage)


def test_too_little_memory_is_told_before_it_is_taken(tmp_path: Path) -> None:
    poor = MinisignKeyDirectory(tmp_path / "keys", memory_available=lambda: 1 << 30)
    started_s = time.monotonic()
    error = refused("KEY-1/memory", lambda: poor.generate(weak_passphrase()))
    assert isinstance(error, CannotTell)
    assert "1088 MiB" in error.summary
    assert time.monotonic() - started_s < 1
    assert stored(tmp_path) == []


def test_available_memory_is_read_from_the_system() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory_available_bytes() <= total


# --- verifying ----------------------------------------------------------------------------


def test_verifier_accepts_ours_and_stocks_signatures_and_returns_the_comment(
    tmp_path: Path,
) -> None:
    public_key = weak_minisign_key().public_key
    assert VERIFIER.verify(weak_signature(), DIGEST, public_key) == COMMENT
    (tmp_path / "f").write_bytes(DATA)
    assert stock("-GW", "-p", tmp_path / "k.pub", "-s", tmp_path / "k.key").returncode == 0
    assert stock("-SW", "-s", tmp_path / "k.key", "-m", tmp_path / "f").returncode == 0
    stocks = parse_public_key_file((tmp_path / "k.pub").read_bytes()).line
    comment = VERIFIER.verify((tmp_path / "f.minisig").read_bytes(), DIGEST, stocks)
    assert "\tfile:f\t" in comment


def test_verifier_refuses_other_content() -> None:
    other = hashlib.blake2b(b"other").digest()
    key = weak_minisign_key().public_key
    error = refused("SIG-2/signature", lambda: VERIFIER.verify(weak_signature(), other, key))
    assert isinstance(error, BadSignature)


def test_verifier_refuses_a_changed_trusted_comment_before_it_looks_at_the_digest() -> None:
    changed = weak_signature().replace(b"v1.2.3", b"v1.2.4")
    key = weak_minisign_key().public_key
    for digest in (DIGEST, bytes(64)):
        refused("SIG-2/comment-signature", VERIFIER.verify, changed, digest, key)


def test_verifier_refuses_another_key_even_under_the_same_id() -> None:
    other = parse_public_key(new_weak_minisign_key().public_key)
    refused("SIG-2/key-id", lambda: VERIFIER.verify(weak_signature(), DIGEST, other.line))
    genuine = parse_public_key(weak_minisign_key().public_key)
    twin = MinisignPublicKey(genuine.key_id, other.ed25519).line
    refused("SIG-2/comment-signature", lambda: VERIFIER.verify(weak_signature(), DIGEST, twin))


def test_verifier_refuses_a_prehashed_signature_relabelled_as_legacy() -> None:
    lines = weak_signature().split(b"\n")
    blob = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(b"Ed" + blob[2:])
    relabelled = b"\n".join(lines)
    public_key = weak_minisign_key().public_key
    # What the guard is for: the library takes the digest itself for the signed file.
    library_key = minisign.PublicKey.from_base64(public_key)
    library_key.verify(DIGEST, minisign.Signature.from_bytes(relabelled))
    refused("SIG-2/legacy", lambda: VERIFIER.verify(relabelled, DIGEST, public_key))


def test_verifier_refuses_a_legacy_signature_of_stock_minisign(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    assert stock("-GW", "-p", tmp_path / "k.pub", "-s", tmp_path / "k.key").returncode == 0
    assert stock("-SlW", "-s", tmp_path / "k.key", "-m", tmp_path / "f").returncode == 0
    key = parse_public_key_file((tmp_path / "k.pub").read_bytes()).line
    signature = (tmp_path / "f.minisig").read_bytes()
    refused("SIG-2/legacy", lambda: VERIFIER.verify(signature, DIGEST, key))


def test_verifier_refuses_a_digest_of_another_length() -> None:
    key = weak_minisign_key().public_key
    refused("SIG-2/digest", lambda: VERIFIER.verify(weak_signature(), DIGEST[:32], key))


def test_verifier_loads_nothing_that_signs() -> None:
    code = (
        "import sys, pai_signer.adapters.minisign_verify; "
        "sys.exit(any(m.split('.')[0] == 'minisign' or m == 'pai_signer.adapters.minisign' "
        "for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- strength and secrecy -----------------------------------------------------------------


@pytest.mark.slow
def test_stock_minisign_signs_with_our_key_and_we_with_its_key_at_full_strength(
    tmp_path: Path,
) -> None:
    keys = MinisignKeyDirectory(tmp_path / "keys")
    ours = keys.generate(weak_passphrase())
    (path,) = stored(tmp_path)
    assert parse_secret_key_header(path.read_bytes()).limits == STOCK_LIMITS
    (tmp_path / "f").write_bytes(DATA)
    signed = stock("-S", "-s", path, "-m", tmp_path / "f", typed=WEAK_PASSPHRASE + b"\n")
    assert signed.returncode == 0, signed
    assert VERIFIER.verify((tmp_path / "f.minisig").read_bytes(), DIGEST, ours)

    typed = WEAK_PASSPHRASE + b"\n" + WEAK_PASSPHRASE + b"\n"
    made = stock("-G", "-p", tmp_path / "s.pub", "-s", tmp_path / "s.key", typed=typed)
    assert made.returncode == 0, made
    theirs = keys.import_key((tmp_path / "s.key").read_bytes(), weak_passphrase())
    assert theirs == parse_public_key_file((tmp_path / "s.pub").read_bytes()).line
    signature = keys.unlock(theirs, weak_passphrase()).sign_prehashed(DIGEST, COMMENT)
    (tmp_path / "f.minisig").write_bytes(signature)
    assert stock("-VHm", tmp_path / "f", "-p", tmp_path / "s.pub").returncode == 0


def test_library_is_given_the_live_buffer_and_no_str() -> None:
    passphrase = weak_passphrase()
    stand_in = _as_password(passphrase)
    assert not isinstance(stand_in, str)
    assert stand_in.encode() is passphrase.reveal()


CANARY_CHILD = """
import sys
from pathlib import Path
from pai_signer.domain.secret import Secret
from tests.keys import weak_minisign_keys
typed = bytearray(24)
sys.stdin.buffer.raw.readinto(typed)
secret = Secret(typed)
keys = weak_minisign_keys(Path(sys.argv[1]))
line = keys.generate(secret)
keys.unlock(line, secret).wipe()
print("held", flush=True)
sys.stdin.buffer.raw.readinto(bytearray(1))
secret.wipe()
print("wiped", flush=True)
sys.stdin.buffer.raw.readinto(bytearray(1))
"""


def test_passphrase_stands_in_memory_once_and_after_wiping_not_at_all(tmp_path: Path) -> None:
    canary = os.urandom(12).hex().encode()
    child = subprocess.Popen(
        [sys.executable, "-c", CANARY_CHILD, tmp_path / "keys"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(canary)
        assert child.stdout.readline() == b"held\n"
        assert copies_in_memory(child.pid, canary) == 1
        child.stdin.write(b"\n")
        assert child.stdout.readline() == b"wiped\n"
        assert copies_in_memory(child.pid, canary) == 0
        child.stdin.write(b"\n")
    assert child.returncode == 0
