"""Proof of possession by a copy: each part is opened and signs, and damage is found (CUS-2).

gpg imports a damaged copy with success; only the proof tells.
"""

import random
from typing import Any

import pytest

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp_armor import dearmored_secret_key
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
)
from tests.adapters.gpg.copies import CHALLENGE, armored, copy, packets, prove, with_body
from tests.adapters.gpg.homes import NEW, VERIFIER, refused
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_S2K_COUNT_BYTES,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

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


# --- damaged copies -----------------------------------------------------------------------


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


def test_a_gpg_that_dies_says_nothing_of_the_copy(
    outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged is a verdict; where gpg could not do its work there is none."""
    real = GpgHome.run

    def dies(home: GpgHome, arguments: Any, **how: Any) -> Finished:
        if "--export-secret-keys" in arguments:
            return Finished(-9, b"", b"", b"")
        return real(home, arguments, **how)

    monkeypatch.setattr(GpgHome, "run", dies)
    error = refused("SEC-2/tool-failed", lambda: prove(outside, copy()))
    assert isinstance(error, CannotTell)


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
