"""Secret key exports: what is built is read back, and no bytes break the parser otherwise."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.minisig import SecretKeyHeader, parse_secret_key_header, secret_key_salt
from pai_signer.domain.openpgp_armor import checksum_line
from pai_signer.domain.openpgp_secret import S2K_COUNT_BYTES, parse_secret_key, symmetric_salt
from pai_signer.errors import FormatError, PolicyRefused, SignerError

salts = st.binary(min_size=8, max_size=8)
secrets = st.binary(min_size=21, max_size=80)


def armored(data: bytes) -> bytes:
    text = base64.b64encode(data).decode("ascii")
    kind = "PGP PRIVATE KEY BLOCK"
    lines = [f"-----BEGIN {kind}-----", "", text, checksum_line(data), f"-----END {kind}-----"]
    return "\n".join(lines).encode("ascii") + b"\n"


def number(octets: bytes) -> bytes:
    return (len(octets) * 8).to_bytes(2, "big") + octets


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """A version 4 secret packet's body, its salt and its coded count."""
    algorithm, numbers, curve = draw(
        st.sampled_from([(1, 2, False), (16, 3, False), (17, 4, False), (22, 1, True)])
    )
    octets = st.binary(min_size=1, max_size=40)
    fields = bytes([9]) + draw(st.binary(min_size=9, max_size=9)) if curve else b""
    fields += b"".join(number(draw(octets)) for _ in range(numbers))
    salt, count = draw(salts), draw(st.integers(0, 255))
    head = b"\x04" + draw(st.binary(min_size=4, max_size=4)) + bytes([algorithm])
    protection = b"\xfe\x09\x03\x0a" + salt + bytes([count]) + bytes(16) + draw(secrets)
    return head + fields + protection, salt, count


@given(st.lists(bodies(), min_size=1, max_size=4))
def test_what_is_built_is_read_back_or_refused_for_its_count(
    drawn: list[tuple[bytes, bytes, int]],
) -> None:
    # Each made at another second, so that no two are the same key.
    built = [(b"\x04" + i.to_bytes(4, "big") + b[5:], s, c) for i, (b, s, c) in enumerate(drawn)]
    data = b"".join(
        bytes([0xC0 | (7 if i else 5), 255]) + len(body).to_bytes(4, "big") + body
        for i, (body, _, _) in enumerate(built)
    )
    counts = [(16 + (count & 15)) << ((count >> 4) + 6) for _, _, count in built]
    if min(counts) < S2K_COUNT_BYTES:
        with pytest.raises(PolicyRefused) as caught:
            parse_secret_key(armored(data))
        assert caught.value.code == "CUS-2/weak-protection"
        return
    parsed = parse_secret_key(armored(data))
    assert parsed.salts == tuple(salt.hex() for _, salt, _ in built)


@given(bodies(), st.data())
def test_a_cut_packet_is_never_an_export(
    built: tuple[bytes, bytes, int], data: st.DataObject
) -> None:
    body, _, _ = built
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    packet = b"\xc5\xff" + len(cut).to_bytes(4, "big") + cut
    # The encrypted part is opaque: cut there, it is still long enough to be a key, or it is not.
    with suppress(SignerError):
        parsed = parse_secret_key(armored(packet))
        assert len(cut) > len(body) - 60
        assert len(parsed.parts) == 1


@given(st.binary(max_size=400))
def test_no_bytes_break_a_parser_otherwise(data: bytes) -> None:
    for parse in (parse_secret_key, symmetric_salt, secret_key_salt):
        for given_bytes in (data, armored(data), armored(b"\xc5" + data)):
            with suppress(FormatError, PolicyRefused):
                parse(given_bytes)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=104, max_size=104))
def test_the_salt_of_a_minisign_key_is_what_stands_in_it(salt: bytes, rest: bytes) -> None:
    blob = b"EdScB2" + salt + bytes(16) + rest
    file = b"untrusted comment: x\n" + base64.b64encode(blob) + b"\n"
    assert secret_key_salt(file) == salt.hex()
    header = parse_secret_key_header(file)
    assert isinstance(header, SecretKeyHeader)
    plain = b"untrusted comment: x\n" + base64.b64encode(b"Ed\0\0B2" + blob[6:]) + b"\n"
    with pytest.raises(FormatError):
        secret_key_salt(plain)
