"""How a secret key is protected, read without opening it; made by hand, field by field (CUS-2)."""

import base64
import hashlib

import pytest

from pai_signer.domain import openpgp_secret
from pai_signer.domain.openpgp_armor import checksum_line
from pai_signer.domain.openpgp_secret import (
    parse_secret_key,
    symmetric_salt,
)
from pai_signer.errors import FormatError, PolicyRefused, SignerError

pytestmark = pytest.mark.usefixtures("stock_strength")

SALT = bytes(range(8))
PROTECTED = b"\xfe\x07\x03\x02" + SALT + b"\xff" + bytes(16) + bytes(54)
ED25519 = bytes.fromhex("092b06010401da470f01")
CURVE = bytes.fromhex("0a2b060104019755010501")


def number(octets: bytes) -> bytes:
    """A multiprecision integer of which every bit of the first octet counts."""
    return (len(octets) * 8).to_bytes(2, "big") + octets


def public(algorithm: int, fields: bytes, version: int = 4) -> bytes:
    return bytes([version]) + bytes(4) + bytes([algorithm]) + fields


EDDSA = public(22, ED25519 + number(b"\x40" + bytes(32)))


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def export(*packets: bytes) -> bytes:
    data = b"".join(packets)
    text = base64.b64encode(data).decode("ascii")
    kind = "PGP PRIVATE KEY BLOCK"
    lines = [f"-----BEGIN {kind}-----", "", text, checksum_line(data), f"-----END {kind}-----", ""]
    return "\n".join(lines).encode("ascii")


def refused(data: bytes) -> SignerError:
    with pytest.raises(SignerError) as caught:
        parse_secret_key(data)
    return caught.value


def code(protection: bytes) -> str:
    return refused(export(packet(5, EDDSA + protection))).code


@pytest.mark.parametrize(
    ("algorithm", "fields"),
    [
        (1, number(b"n" * 256) + number(b"\x01")),
        (16, number(b"p") + number(b"g") + number(b"y")),
        (17, number(b"p") + number(b"q") + number(b"g") + number(b"y")),
        (18, CURVE + number(b"\x40" + bytes(32)) + b"\x03\x01\x08\x07"),
        (19, ED25519 + number(b"\x04" + bytes(64))),
        (22, ED25519 + number(b"\x40" + bytes(32))),
    ],
)
def test_each_algorithm_is_named_by_its_public_part(algorithm: int, fields: bytes) -> None:
    body = public(algorithm, fields)
    parsed = parse_secret_key(export(packet(5, body + PROTECTED)))
    expected = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    assert parsed.fingerprint == expected
    assert parsed.salts == (SALT.hex(),)
    assert parsed.subkeys == ()


def test_subkeys_are_read_in_their_order() -> None:
    first, second = (public(22, ED25519 + number(b"\x40" + bytes([i] * 32))) for i in (1, 2))
    other = PROTECTED.replace(SALT, bytes(8))
    parsed = parse_secret_key(
        export(
            packet(5, EDDSA + PROTECTED),
            packet(13, b"A <a@b.c>"),
            packet(2, b"signature"),
            packet(7, first + other),
            packet(2, b"signature"),
            packet(7, second + PROTECTED),
        )
    )
    assert [part.is_primary for part in parsed.parts] == [True, False, False]
    assert len({parsed.fingerprint, *parsed.subkeys}) == 3
    assert parsed.salts == (SALT.hex(), "00" * 8, SALT.hex())


def test_the_count_is_the_strongest_that_one_octet_can_say() -> None:
    assert (16 + 15) << (15 + 6) == openpgp_secret.S2K_COUNT_BYTES == 65_011_712


@pytest.mark.parametrize(
    ("name", "protection"),
    [
        ("a cipher under MD5", b"\x03" + bytes(8) + bytes(40)),
        ("a two-byte sum", b"\xff" + PROTECTED[1:]),
        ("simple hashing", b"\xfe\x07\x00\x02" + bytes(16) + bytes(54)),
        ("salted hashing", b"\xfe\x07\x01\x02" + SALT + bytes(16) + bytes(54)),
        ("a lower count", PROTECTED.replace(SALT + b"\xff", SALT + b"\xfe")),
        ("MD5", b"\xfe\x07\x03\x01" + PROTECTED[4:]),
        ("an unknown hash", b"\xfe\x07\x03\x63" + PROTECTED[4:]),
        ("Triple-DES", b"\xfe\x02" + PROTECTED[2:]),
        ("no cipher", b"\xfe\x00" + PROTECTED[2:]),
    ],
)
def test_a_weak_protection_is_refused(name: str, protection: bytes) -> None:
    assert code(protection) == "CUS-2/weak-protection"


@pytest.mark.parametrize("digest", [2, 8, 9, 10])
@pytest.mark.parametrize("cipher", [7, 8, 9])
def test_what_stock_gpg_can_at_best_is_taken(cipher: int, digest: int) -> None:
    protection = bytes([0xFE, cipher, 3, digest]) + PROTECTED[4:]
    assert parse_secret_key(export(packet(5, EDDSA + protection))).salts == (SALT.hex(),)


@pytest.mark.parametrize("usage", [b"\xfe", b"\xff"])
def test_a_stub_says_that_the_secret_is_elsewhere(usage: bytes) -> None:
    # GnuPG's doc/DETAILS: 101, a hash algorithm, "GNU", 1 (no secret) or 2 (on a card).
    assert code(usage + b"\x00\x65\x00GNU\x01") == "CUS-2/secret-missing"


def test_an_open_key_is_refused_as_such() -> None:
    error = refused(export(packet(5, EDDSA + b"\x00" + bytes(60))))
    assert error.code == "KEY-1/unprotected"
    assert isinstance(error, PolicyRefused)


def test_what_is_not_one_whole_secret_key_is_no_export() -> None:
    whole = packet(5, EDDSA + PROTECTED)
    subkey = packet(7, public(22, ED25519 + number(b"\x40" + bytes([1] * 32))) + PROTECTED)
    for data in (
        b"",
        export(),
        export(subkey),
        export(packet(13, b"A"), whole),
        export(whole, whole),
        export(whole, subkey, subkey),
        export(whole, packet(14, EDDSA)),
        export(whole, packet(12, b"trust")),
        export(whole)[:-20],
        b"x\n" + export(whole),
        export(whole).replace(b"PRIVATE", b"PUBLIC"),
        export(packet(5, public(22, ED25519, version=5) + PROTECTED)),
        export(packet(5, public(99, ED25519) + PROTECTED)),
        export(packet(5, EDDSA + b"\xfe\x07\x63\x02" + PROTECTED[4:])),
        export(packet(5, EDDSA + PROTECTED[:29])),
        export(packet(5, EDDSA + PROTECTED[:49])),
    ):
        error = refused(data)
        assert isinstance(error, FormatError), data
        assert error.exit_code == 4


# --- symmetrically encrypted files ----------------------------------------------------------

SESSION_KEY = b"\x04\x09\x03\x0a" + SALT + b"\xff"
ENCRYPTED = packet(18, b"\x01" + bytes(40))


def test_the_salt_of_a_file_under_a_passphrase() -> None:
    assert symmetric_salt(packet(3, SESSION_KEY) + ENCRYPTED) == SALT.hex()
    # gpg writes what it does not know the size of in parts (RFC 4880, 4.2.2.4).
    assert symmetric_salt(b"\x8c\x0d" + SESSION_KEY + b"\xd2\xe9" + bytes(600)) == SALT.hex()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        packet(3, SESSION_KEY),
        ENCRYPTED,
        packet(3, SESSION_KEY) + packet(9, bytes(40)),
        packet(3, SESSION_KEY + b"a session key") + ENCRYPTED,
        packet(3, b"\x05" + SESSION_KEY[1:]) + ENCRYPTED,
        packet(3, b"\x04\x07" + SESSION_KEY[2:]) + ENCRYPTED,
        packet(3, b"\x04\x09\x03\x02" + SESSION_KEY[4:]) + ENCRYPTED,
        packet(3, b"\x04\x09\x01\x0a" + SALT) + ENCRYPTED,
        packet(3, SESSION_KEY[:-1] + b"\xfe") + ENCRYPTED,
        packet(3, SESSION_KEY[:-1]) + ENCRYPTED,
        packet(3, SESSION_KEY)[:9] + ENCRYPTED,
    ],
)
def test_a_file_under_anything_less_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        symmetric_salt(data)
