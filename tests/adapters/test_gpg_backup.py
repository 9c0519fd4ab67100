"""OpenPGP keys under a custodian's passphrase, and proofs by such copies (CUS-1, CUS-2).

Stock gpg restores and signs; the traps of this field are shown with it before the program
is seen not to step into them.
"""

import base64
import functools
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pai_signer.adapters import gpg_backup, gpg_proof
from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_copy import secret_key_files
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp_armor import checksum_line, dearmored_secret_key
from pai_signer.domain.openpgp_certificate import Packet, split_packets
from pai_signer.domain.openpgp_secret import parse_secret_key, symmetric_salt
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.openpgp_status import parse_status
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
)
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_S2K_COUNT_BYTES,
    WEAK_USER_ID,
    WEAK_VALID_UNTIL,
    FixedClock,
    RealClock,
    export_secret,
    install_weak_openpgp_key,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)
from tests.watching import watched

NEW = b"the custodian's own gpg phrase"
CHALLENGE = b"# PROOF OF POSSESSION, neither a release nor a tag\nnonce 00\n"
CLOCK = RealClock()
VERIFIER = GpgVerifier(CLOCK)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    assert list(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) == []


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """A vault's home with the weak key in it."""
    install_weak_openpgp_key(tmp_path / "gnupg")
    return tmp_path / "gnupg"


@pytest.fixture
def backups(vault: Path) -> OpenPgpBackups:
    return OpenPgpBackups(vault, CLOCK)


@pytest.fixture
def outside(tmp_path: Path) -> OpenPgpBackups:
    """For proofs, which need no vault."""
    return OpenPgpBackups(tmp_path / "nowhere", CLOCK)


@functools.cache
def copy() -> bytes:
    """The weak key wrapped under ``NEW``."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        info = install_weak_openpgp_key(home)
        return OpenPgpBackups(home, CLOCK).wrap(
            info.fingerprint, weak_passphrase(), weak_passphrase(NEW)
        )


def wrap(backups: OpenPgpBackups, old: bytes = WEAK_PASSPHRASE, new: bytes = NEW) -> bytes:
    fingerprint = weak_openpgp_key().info.fingerprint
    return backups.wrap(fingerprint, Secret(bytearray(old)), Secret(bytearray(new)))


def prove(
    backups: OpenPgpBackups,
    secret_key: bytes,
    passphrase: bytes = NEW,
    certificate: str = "",
    fingerprint: str = "",
    beside: str | None = None,
) -> tuple[bytes, ...]:
    info = weak_openpgp_key().info
    return backups.prove(
        secret_key,
        certificate or info.certificate,
        fingerprint or info.fingerprint,
        Secret(bytearray(passphrase)),
        CHALLENGE,
        beside,
    )


def refused(code: str, call: Callable[[], object]) -> SignerError:
    with pytest.raises(SignerError) as caught:
        call()
    assert caught.value.code == code, caught.value.summary
    told = f"{caught.value!r} {caught.value.summary} {caught.value.hint}"
    assert not any(phrase.decode() in told for phrase in (NEW, WEAK_PASSPHRASE))
    return caught.value


def armored(packets: bytes) -> bytes:
    """A secret key export whose checksum is right, whatever it holds."""
    text = base64.b64encode(packets).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    head, tail = "-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----END PGP PRIVATE KEY BLOCK-----"
    return "\n".join([head, "", *lines, checksum_line(packets), tail, ""]).encode("ascii")


def packets(secret_key: bytes) -> tuple[Packet, ...]:
    return split_packets(dearmored_secret_key(secret_key))


def with_body(packet: Packet, body: bytes) -> bytes:
    assert len(body) == len(packet.body) < 192
    return bytes([0xC0 | packet.tag, len(body)]) + body


def state(home: Path) -> dict[str, bytes]:
    files = [home / "pubring.kbx", *home.glob("private-keys-v1.d/*"), *home.glob("*revocs.d/*")]
    return {str(path): path.read_bytes() for path in files}


def stock(home: Path, *arguments: str | Path, typed: bytes = b"") -> Finished:
    """gpg as the restore card calls it, in a home without any configuration of ours."""
    done = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", *arguments],
        input=typed,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Finished(done.returncode, done.stdout, done.stderr, b"")


@pytest.fixture
def drawer() -> Iterator[Path]:
    """Another machine's home, ten years from now."""
    folder = Path(TemporaryDirectory(dir="/dev/shm", prefix="h-").name)
    folder.mkdir(mode=0o700)
    yield folder
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)
    shutil.rmtree(folder, ignore_errors=True)


# --- wrapping -----------------------------------------------------------------------------


def test_stock_gpg_restores_a_copy_and_signs_under_the_new_passphrase_alone(
    drawer: Path, tmp_path: Path
) -> None:
    info = weak_openpgp_key().info
    (tmp_path / "gpg-secret.asc").write_bytes(copy())
    (tmp_path / "f").write_bytes(CHALLENGE)
    assert stock(drawer, "--import", tmp_path / "gpg-secret.asc").exit_code == 0

    def signs(key: str, phrase: bytes) -> Finished:
        (tmp_path / "phrase").write_bytes(phrase + b"\n")
        return stock(
            drawer,
            *("--passphrase-file", tmp_path / "phrase", "--local-user", f"{key}!"),
            *("--armor", "--detach-sign", "--output", "-", tmp_path / "f"),
        )

    assert signs(info.signing_fingerprint, WEAK_PASSPHRASE).exit_code != 0
    signature = signs(info.signing_fingerprint, NEW).stdout
    signed = VERIFIER.verify_detached(CHALLENGE, signature, [info.certificate], [info.fingerprint])
    assert signed.signing_fingerprint == info.signing_fingerprint
    # A stock agent tries the passphrase that it keeps of one part on the others.
    subprocess.run(["gpgconf", "--homedir", drawer, "--kill", "all"], check=True)
    (tmp_path / "phrase").write_bytes(WEAK_PASSPHRASE)
    adds = ("--quick-add-uid", info.fingerprint, "restored")
    with_file = ("--passphrase-file", tmp_path / "phrase")
    assert stock(drawer, *with_file, *adds).exit_code != 0
    (tmp_path / "phrase").write_bytes(NEW)
    assert stock(drawer, *with_file, *adds).exit_code == 0


@pytest.mark.usefixtures("stock_strength")
def test_a_copy_is_hashed_as_strongly_as_stock_gpg_can(drawer: Path, tmp_path: Path) -> None:
    strong = copy.__wrapped__()
    (tmp_path / "gpg-secret.asc").write_bytes(strong)
    shown = stock(drawer, "--list-packets", tmp_path / "gpg-secret.asc").stdout.decode()
    assert shown.count("protect count: 65011712 (255)") == 2
    assert shown.count("iter+salt S2K, algo: 7, SHA1 protection") == 2
    export = parse_secret_key(strong)
    info = weak_openpgp_key().info
    assert export.fingerprint == info.fingerprint
    assert export.subkeys == (info.signing_fingerprint,)
    assert all(f"salt: {salt.upper()}" in shown for salt in export.salts)


def test_each_copy_has_salts_of_its_own_and_the_vault_stays(
    vault: Path, backups: OpenPgpBackups
) -> None:
    before = state(vault)
    exports = (wrap(backups), wrap(backups), copy(), weak_openpgp_key().secret_export)
    salts = [salt for export in exports for salt in parse_secret_key(export).salts]
    assert len(set(salts)) == len(salts) == 8
    assert state(vault) == before


@pytest.mark.parametrize(
    "phrase",
    [b"x" * 255, "w\u00f6rter mit umlaut".encode(), b" spaces at both ends ", b"a%20b+c\\x'\"#"],
)
def test_a_new_passphrase_is_taken_as_it_is(phrase: bytes, backups: OpenPgpBackups) -> None:
    prove(backups, wrap(backups, new=phrase), phrase)


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("KEY-1/wrong-passphrase", b"mistyped", NEW),
        ("CUS-1/same-passphrase", WEAK_PASSPHRASE, WEAK_PASSPHRASE),
        ("KEY-1/empty-passphrase", WEAK_PASSPHRASE, b""),
        ("KEY-1/empty-passphrase", b"", NEW),
        ("KEY-1/passphrase-form", WEAK_PASSPHRASE, b"two\nlines"),
    ],
)
def test_a_passphrase_that_will_not_do_is_refused(
    code: str, old: bytes, new: bytes, vault: Path, backups: OpenPgpBackups
) -> None:
    before = state(vault)
    refused(code, lambda: wrap(backups, old, new))
    assert state(vault) == before


def test_a_key_that_is_not_there_or_not_whole_is_not_copied(
    vault: Path, backups: OpenPgpBackups
) -> None:
    phrase, new = weak_passphrase(), weak_passphrase(NEW)
    assert isinstance(
        refused("KEY-1/no-secret-key", lambda: backups.wrap("A" * 40, phrase, new)), CannotTell
    )
    with vault_home(vault) as home:
        fingerprint = weak_openpgp_key().info.fingerprint
        arguments = ["--yes", "--delete-secret-keys", f"{fingerprint}!"]
        succeeded(home.run(arguments))
    refused("KEY-1/primary-missing", lambda: wrap(backups))


def test_a_vaults_key_that_any_passphrase_opens_is_not_copied(tmp_path: Path) -> None:
    open_key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "open") as home:
        home.run(["--import"], stdin=open_key.secret_export)
    backups = OpenPgpBackups(tmp_path / "open", CLOCK)
    refused(
        "KEY-1/unprotected",
        lambda: backups.wrap(open_key.fingerprint, weak_passphrase(), weak_passphrase(NEW)),
    )


def test_other_keys_of_the_vault_are_neither_changed_nor_exported(tmp_path: Path) -> None:
    home, other = tmp_path / "two", scratch_key()
    info = install_weak_openpgp_key(home)
    with vault_home(home) as opened:
        commands.import_secret_key(
            opened, other.secret_export, other.fingerprint, weak_passphrase()
        )
    before = state(home)
    backups = OpenPgpBackups(home, CLOCK)
    wrapped = wrap(backups)
    assert {p.fingerprint for p in parse_secret_key(wrapped).parts} == {
        info.fingerprint,
        info.signing_fingerprint,
    }
    assert state(home) == before


def test_gpg_asks_for_old_and_new_without_saying_which(tmp_path: Path) -> None:
    """Why each part is changed alone: in one go, a subkey can end under the old passphrase.

    The agent keeps both for the next part, but not into the next second; then it asks for
    the new one where the old one was meant to be the answer.
    """
    answers = (WEAK_PASSPHRASE, NEW, WEAK_PASSPHRASE, NEW)
    fingerprint = weak_openpgp_key().info.fingerprint
    with throwaway_home(for_secrets=True) as home:
        commands.import_secret_key(
            home, weak_openpgp_key().secret_export, fingerprint, weak_passphrase()
        )
        with Secret(bytearray(b"\n".join(answers))) as lines:
            asked = home.run(["--change-passphrase", fingerprint], answers=lines)
    questions = [s for s in parse_status(asked.status) if s.keyword == "GET_HIDDEN"]
    assert {question.arguments for question in questions} == {("passphrase.enter",)}


def test_a_part_that_kept_the_old_passphrase_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_backup._change_passphrase

    def change_the_first(copy: GpgHome, fingerprint: str, *phrases: Secret) -> None:
        files = secret_key_files(copy)
        real(copy, fingerprint, *phrases)
        path = max(files)
        path.write_bytes(files[path])

    monkeypatch.setattr(gpg_backup, "_change_passphrase", change_the_first)
    refused("KEY-1/wrong-passphrase", lambda: wrap(backups))


def test_an_export_that_the_old_passphrase_opens_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = weak_openpgp_key().secret_export
    monkeypatch.setattr(gpg_backup, "_exported", lambda *_: exported)
    refused("KEY-1/unprotected", lambda: wrap(backups))


def test_an_export_without_a_subkey_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GpgHome.run

    def forgets(home: GpgHome, arguments: Any, **how: Any) -> Finished:
        finished = real(home, arguments, **how)
        if "--export-secret-keys" not in arguments:
            return finished
        held = packets(finished.stdout)
        cut = b"".join(p.raw for p in held[: [p.tag for p in held].index(7)])
        return Finished(0, armored(cut), b"", finished.status)

    monkeypatch.setattr(GpgHome, "run", forgets)
    refused("CUS-1/export", lambda: wrap(backups))


def test_no_passphrase_is_seen_outside_the_pipes(vault: Path, backups: OpenPgpBackups) -> None:
    canary = os.urandom(16).hex().encode()
    with watched(canary) as seen:
        secret_key = wrap(backups, new=canary)
        prove(backups, secret_key, canary)
        backups.decrypt(backups.encrypt(b"x", weak_passphrase(canary)), weak_passphrase(canary))
    assert seen == {"gpg", "gpg-agent"}
    files = [path for path in vault.rglob("*") if path.is_file()]
    assert [path for path in files if canary in path.read_bytes()] == []


# --- proving ------------------------------------------------------------------------------


def test_a_proof_is_a_signature_by_each_signing_key(outside: OpenPgpBackups) -> None:
    info = weak_openpgp_key().info
    (signature,) = prove(outside, copy())
    signed = VERIFIER.verify_detached(CHALLENGE, signature, [info.certificate], [info.fingerprint])
    assert signed.signing_fingerprint == info.signing_fingerprint


def test_a_wrong_passphrase_is_told_as_such(outside: OpenPgpBackups) -> None:
    error = refused("KEY-1/wrong-passphrase", lambda: prove(outside, copy(), WEAK_PASSPHRASE))
    assert isinstance(error, PolicyRefused)
    refused("KEY-1/empty-passphrase", lambda: prove(outside, copy(), b""))


def test_each_part_must_refuse_a_wrong_passphrase_before_the_right_one(
    outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, used = GpgHome.run, []

    def watch(home: GpgHome, arguments: Any, **how: Any) -> Finished:
        phrase = how.get("passphrase")
        if phrase is not None and arguments[0] != "--import":
            used.append((arguments[0], bytes(phrase.reveal()) == NEW))
        return real(home, arguments, **how)

    monkeypatch.setattr(GpgHome, "run", watch)
    prove(outside, copy())
    assert used[:4] == [
        ("--quick-add-uid", False),
        ("--local-user", False),
        ("--quick-add-uid", True),
        ("--local-user", True),
    ]


def test_another_key_proves_nothing(outside: OpenPgpBackups) -> None:
    other = scratch_key()
    error = refused("CUS-2/other-key", lambda: prove(outside, other.secret_export))
    assert isinstance(error, UntrustedKey)
    assert other.fingerprint in error.summary
    # ... nor does the medium's own certificate count: the registry's must be this key's.
    refused("KEY-4/certificate", lambda: prove(outside, copy(), certificate=other.certificate))


def damaged(tag: int) -> bytes:
    """The copy with the last secret byte of its primary (5) or its subkey (7) flipped."""
    return armored(
        b"".join(
            with_body(p, p.body[:-1] + bytes([p.body[-1] ^ 1])) if p.tag == tag else p.raw
            for p in packets(copy())
        )
    )


@pytest.mark.parametrize(("tag", "named"), [(5, "the primary key"), (7, "the signing key")])
def test_one_damaged_part_is_found_though_gpg_imports_it(
    tag: int, named: str, outside: OpenPgpBackups
) -> None:
    info, bad = weak_openpgp_key().info, damaged(tag)
    with throwaway_home(for_secrets=True) as home:
        succeeded(home.run(["--import"], stdin=bad, passphrase=weak_passphrase(NEW)))
        if tag == 5:  # ... and signs with the subkey
            (key,) = commands.listed(home, info.fingerprint).subkeys
            commands.sign(home, key, CHALLENGE, weak_passphrase(NEW))
    error = refused("CUS-2/damaged-key", lambda: prove(outside, bad))
    assert isinstance(error, FormatError)
    assert named in error.summary


def test_a_part_with_the_secret_of_another_key_is_found(outside: OpenPgpBackups) -> None:
    """Right passphrase, right hash, wrong secret: only what it signs tells."""
    mine = packets(weak_openpgp_key().secret_export)
    theirs = packets(scratch_key().secret_export)[0].body
    public = len(theirs) - len(theirs[theirs.index(b"\xfe\x07\x03\x02") :])
    for tag in (5, 7):
        spliced = b"".join(
            with_body(p, p.body[:public] + theirs[public:]) if p.tag == tag else p.raw for p in mine
        )
        with pytest.raises(SignerError) as caught:
            prove(outside, armored(spliced), WEAK_PASSPHRASE)
        assert isinstance(caught.value, FormatError | BadSignature), caught.value
        assert caught.value.exit_code == 4


def test_no_flipped_byte_of_a_secret_packet_is_ever_proved(outside: OpenPgpBackups) -> None:
    """A sample; the checksum of the armor is made right, so that it is not what finds them."""
    held = dearmored_secret_key(copy())
    places, at = [], 0
    for packet in packets(copy()):
        end = at + len(packet.raw)
        if packet.tag in {5, 7}:
            places += [*range(at, end, 7)]
        at = end
    chance = random.Random(0)
    codes = set()
    for place in places:
        flipped = bytearray(held)
        flipped[place] ^= 1 << chance.randrange(8)
        with pytest.raises(SignerError) as caught:
            prove(outside, armored(bytes(flipped)))
        assert caught.value.exit_code in {3, 4}, caught.value.code
        codes.add(caught.value.code)
    assert len(places) >= 38
    assert {"CUS-2/damaged-key", "CUS-2/other-key", "CUS-2/other-subkey"} <= codes


def test_a_copy_in_which_gpg_finds_no_key_is_damaged_and_no_riddle(outside: OpenPgpBackups) -> None:
    """Behind a signature of absurd length gpg stops to read, and says that it processed nothing."""
    whole, at = dearmored_secret_key(copy()), 0
    for packet in packets(copy()):
        at += len(packet.raw)
        if packet.tag != 2:
            continue
        body = packet.body
        hashed = 6 + int.from_bytes(body[4:6], "big")  # RFC 4880, 5.2.3
        first_integer = hashed + 2 + int.from_bytes(body[hashed : hashed + 2], "big") + 2
        spoilt = bytearray(whole)
        spoilt[at - len(body) + first_integer] ^= 0xA4
        with pytest.raises(FormatError, match="gpg finds no key in it") as caught:
            prove(outside, armored(bytes(spoilt)))
        assert caught.value.code == "KEY-1/key-file"


def test_what_is_no_export_of_one_key_is_told_as_such(outside: OpenPgpBackups) -> None:
    whole = copy()
    held = packets(whole)
    unusual = (
        b"",
        b"x" * 5000,
        whole[: len(whole) // 2],
        whole + whole,
        b"text before\n" + whole,
        weak_openpgp_key().info.certificate.encode(),
        armored(b"".join(p.raw for p in held[1:])),
        armored(b"".join(p.raw for p in (*held, *packets(scratch_key().secret_export)))),
        armored(b"".join(p.raw for p in (*held, *(p for p in held if p.tag == 7)))),
    )
    for data in unusual:
        with pytest.raises(FormatError):
            prove(outside, data)


def test_a_copy_without_the_primary_secret_is_refused(outside: OpenPgpBackups) -> None:
    with throwaway_home(for_secrets=True) as home:
        info = weak_openpgp_key().info
        commands.import_secret_key(home, copy(), info.fingerprint, weak_passphrase(NEW))
        arguments = ["--armor", "--export-secret-subkeys", info.fingerprint]
        stub = succeeded(home.run(arguments, passphrase=weak_passphrase(NEW))).stdout
    refused("CUS-2/secret-missing", lambda: prove(outside, stub))


def test_an_open_or_weakly_hashed_copy_is_refused(outside: OpenPgpBackups) -> None:
    open_key = scratch_key(unprotected=True)
    refused(
        "KEY-1/unprotected",
        lambda: prove(
            outside, open_key.secret_export, NEW, open_key.certificate, open_key.fingerprint
        ),
    )
    with throwaway_home(for_secrets=True) as home:
        conf = home.path / "gpg-agent.conf"
        conf.write_bytes(conf.read_bytes().replace(b"%d" % WEAK_S2K_COUNT_BYTES, b"65536"))
        info = weak_openpgp_key().info
        commands.import_secret_key(home, copy(), info.fingerprint, weak_passphrase(NEW))
        arguments = ["--armor", "--export-secret-keys", info.fingerprint]
        weak = succeeded(home.run(arguments, passphrase=weak_passphrase(NEW))).stdout
    error = refused("CUS-2/weak-protection", lambda: prove(outside, weak))
    assert isinstance(error, PolicyRefused)
    assert "hashed too little" in error.summary


# --- keys of other shapes, and keys that have changed since ---------------------------------


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
        error = refused(gpg_proof.STALE, lambda beside=beside: with_it(beside))  # type: ignore[misc]
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


def test_a_revoked_key_proves_nothing(vault: Path, outside: OpenPgpBackups) -> None:
    info = weak_openpgp_key().info
    made = GpgLife(vault, CLOCK).make_revocation(
        info.fingerprint, RevocationReason.SUPERSEDED, "", weak_passphrase()
    )
    refused("POL-6/revoked", lambda: prove(outside, copy(), certificate=made.certificate))


# --- files under a passphrase alone ---------------------------------------------------------

DATA = b"revocation certificates\n" * 200


@functools.cache
def encrypted() -> bytes:
    return OpenPgpBackups(Path("nowhere"), CLOCK).encrypt(DATA, weak_passphrase(NEW))


@pytest.mark.usefixtures("stock_strength")
def test_stock_gpg_opens_an_encrypted_file(drawer: Path, tmp_path: Path) -> None:
    strong = encrypted.__wrapped__()
    (tmp_path / "revocations.gpg").write_bytes(strong)
    (tmp_path / "phrase").write_bytes(NEW)
    opening = ("--passphrase-file", tmp_path / "phrase", "--decrypt", tmp_path / "revocations.gpg")
    assert stock(drawer, *opening).stdout == DATA
    shown = stock(drawer, *opening[:2], "--list-packets", opening[3]).stdout.decode()
    assert ":symkey enc packet: version 4, cipher 9, aead 0,s2k 3, hash 10\n" in shown
    salt = symmetric_salt(strong).upper()
    assert f"salt {salt}, count 65011712 (255)" in shown
    assert "mdc_method: 2" in shown
    (tmp_path / "phrase").write_bytes(WEAK_PASSPHRASE)
    wrong = stock(drawer, *opening)
    assert wrong.exit_code != 0
    assert wrong.stdout == b""


def test_what_was_encrypted_is_decrypted_under_its_passphrase_alone(
    outside: OpenPgpBackups,
) -> None:
    assert outside.decrypt(encrypted(), weak_passphrase(NEW)) == DATA
    refused(
        "KEY-1/wrong-passphrase", lambda: outside.decrypt(encrypted(), weak_passphrase(b"other"))
    )
    again = outside.encrypt(DATA, weak_passphrase(NEW))
    assert symmetric_salt(again) != symmetric_salt(encrypted())
    for bad in (outside.encrypt, outside.decrypt):
        refused("KEY-1/empty-passphrase", lambda bad=bad: bad(b"x", Secret(bytearray())))  # type: ignore[misc]


def test_no_changed_byte_of_an_encrypted_file_gets_through(outside: OpenPgpBackups) -> None:
    whole = encrypted()
    for at in (*range(16), 40, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        with pytest.raises(SignerError) as caught:
            outside.decrypt(bytes(changed), weak_passphrase(NEW))
        assert caught.value.exit_code in {3, 4}, (at, caught.value)
    for bad in (b"", whole[:15], whole[: len(whole) // 2], weak_openpgp_key().secret_export):
        with pytest.raises(SignerError) as caught:
            outside.decrypt(bad, weak_passphrase(NEW))
        assert caught.value.exit_code in {3, 4}


@pytest.mark.parametrize("option", ["AES128", "SHA256", "65536"])
def test_a_gpg_that_encrypts_otherwise_than_asked_is_noticed(
    option: str, outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"AES128": "AES256", "SHA256": "SHA512", "65536": str(WEAK_S2K_COUNT_BYTES)}[option]
    run = GpgHome.run

    def otherwise(home: GpgHome, arguments: list[str], **rest: Any) -> Finished:
        return run(home, [option if word == asked else word for word in arguments], **rest)

    monkeypatch.setattr(GpgHome, "run", otherwise)
    refused("CUS-2/format", lambda: outside.encrypt(DATA, weak_passphrase(NEW)))


def test_a_gpg_that_gives_back_something_else_is_noticed(
    outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_backup._decrypted
    monkeypatch.setattr(gpg_backup, "_decrypted", lambda *a: real(*a) + b"x")
    refused("CUS-1/encryption", lambda: outside.encrypt(DATA, weak_passphrase(NEW)))
