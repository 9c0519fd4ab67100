"""OpenPGP packets, armor, the merge of certificates, and gpg's signature listings."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.openpgp_armor import check_armored_certificate
from pai_signer.domain.openpgp_certificate import (
    armored,
    check_revocation_block,
    dearmored,
    merge_certificates,
    split_packets,
    without_key_revocations,
)
from pai_signer.domain.openpgp_signatures import (
    certifies_every_user_id,
    check_revocation_text,
    key_revocations,
    newest_self_signature,
    parse_signature_listing,
)
from pai_signer.errors import FormatError, ToolError

FINGERPRINT = "A" * 40
bodies = st.binary(max_size=300)


def packet(tag: int, body: bytes, form: int = 0) -> bytes:
    """A packet with one of the header forms of RFC 4880, 4.2, that fit its length."""
    size = len(body)
    forms = [bytes([0xC0 | tag, 255]) + size.to_bytes(4, "big")]
    if size < 192:
        forms.append(bytes([0xC0 | tag, size]))
    elif size < 8384:
        forms.append(bytes([0xC0 | tag, ((size - 192) >> 8) + 192, (size - 192) & 0xFF]))
    if tag < 16:
        forms.append(bytes([0x80 | tag << 2 | 2]) + size.to_bytes(4, "big"))
        forms.append(bytes([0x80 | tag << 2 | 1]) + size.to_bytes(2, "big"))
        if size < 256:
            forms.append(bytes([0x80 | tag << 2, size]))
    return forms[form % len(forms)] + body


def signature(signature_class: int, rest: bytes) -> bytes:
    return bytes([4, signature_class]) + rest


@st.composite
def certificates(draw: st.DrawFn) -> bytes:
    """A certificate of one fixed primary key, with few enough parts that they repeat."""
    form = st.integers(0, 5)

    def signed(head: bytes, tag: int, classes: list[int]) -> bytes:
        kinds = draw(st.lists(st.tuples(st.sampled_from(classes), st.sampled_from(b"abc"))))
        tail = [packet(2, signature(c, bytes([x])), draw(form)) for c, x in kinds]
        return b"".join([packet(tag, head, draw(form)), *tail])

    parts = [signed(b"primary", 6, [0x1F, 0x20])]
    names = draw(st.lists(st.sampled_from([b"u1", b"u2", b"u3"]), unique=True))
    parts += [signed(n, draw(st.sampled_from([13, 17])), [0x10, 0x13, 0x30]) for n in names]
    subkeys = draw(st.lists(st.sampled_from([b"s1", b"s2"]), unique=True))
    parts += [signed(s, 14, [0x18, 0x28]) for s in subkeys]
    return b"".join(parts)


@given(st.lists(st.tuples(st.integers(0, 63), bodies, st.integers(0, 5)), max_size=8))
def test_packets_are_read_in_every_form_of_header(parts: list[tuple[int, bytes, int]]) -> None:
    data = b"".join(packet(*part) for part in parts)
    packets = split_packets(data)
    assert [(p.tag, p.body) for p in packets] == [(tag, body) for tag, body, _ in parts]
    assert b"".join(p.raw for p in packets) == data


@given(st.binary(max_size=200))
def test_any_bytes_are_split_whole_or_refused(data: bytes) -> None:
    try:
        packets = split_packets(data)
    except FormatError:
        return
    assert b"".join(p.raw for p in packets) == data


@pytest.mark.parametrize(
    "bad",
    ["c6", "c6e0", "c6ff000000", "c6c0", "9b00", "9900", "980161" + "41", "c60241", "00", "c6fe00"],
)
def test_partial_indeterminate_and_cut_packets_are_refused(bad: str) -> None:
    with pytest.raises(FormatError):
        split_packets(bytes.fromhex(bad))


def test_flood_of_packets_is_refused() -> None:
    assert len(split_packets(b"\xc2\x00" * 4096)) == 4096
    with pytest.raises(FormatError):
        split_packets(b"\xc2\x00" * 4097)


@given(st.binary(max_size=500))
def test_armor_is_undone(data: bytes) -> None:
    check_armored_certificate(armored(data))
    assert dearmored(armored(data)) == data


@given(st.binary(min_size=1, max_size=100), st.data())
def test_flipped_bit_under_the_armor_is_found(data: bytes, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[position // 8] ^= 1 << position % 8
    checksum = armored(data).split("\n")[-3]
    lines = armored(bytes(flipped)).split("\n")
    lines[-3] = checksum
    with pytest.raises(FormatError):
        dearmored("\n".join(lines))


@given(st.lists(certificates(), min_size=1, max_size=4))
def test_merge_holds_every_packet_of_all_once_and_merging_again_adds_nothing(
    parts: list[bytes],
) -> None:
    blocks = [armored(part) for part in parts]
    merged = merge_certificates(blocks)
    expected = {p for part in parts for p in split_packets(part) if p.tag != 2}
    heads = [p for p in split_packets(dearmored(merged)) if p.tag != 2]
    assert set(heads) == expected
    assert len(heads) == len(expected)
    assert owned(dearmored(merged)) == set().union(*(owned(part) for part in parts))
    assert merge_certificates([merged, *blocks]) == merged
    assert owned(dearmored(merge_certificates(blocks[::-1]))) == owned(dearmored(merged))


def owned(data: bytes) -> set[tuple[int, bytes, int, bytes]]:
    """Each signature with the packet that it stands behind."""
    found: set[tuple[int, bytes, int, bytes]] = set()
    tag, body = 0, b""
    for p in split_packets(data):
        if p.tag == 2:
            found.add((tag, body, p.tag, p.body))
        else:
            tag, body = p.tag, p.body
    return found


@given(certificates())
def test_certificate_without_its_revocations_lacks_just_them(data: bytes) -> None:
    kept = split_packets(dearmored(without_key_revocations(armored(data))))
    assert kept == tuple(p for p in split_packets(data) if p.body[:2] != b"\x04\x20")


@given(st.lists(st.sampled_from([(6, b"p"), (6, b"q"), (13, b"u"), (14, b"s"), (2, b"\x04\x20"),
                                 (2, b"\x04\x13"), (2, b"\x04\x18"), (2, b"\x03\x05"), (2, b""),
                                 (5, b"x"), (12, b"t"), (10, b"PGP")]), max_size=7))  # fmt: skip
def test_only_one_public_key_in_its_order_is_merged(parts: list[tuple[int, bytes]]) -> None:
    block = armored(b"".join(packet(*part, form=1) for part in parts))
    letters = "".join(
        {5: "x", 12: "x", 10: "x", 6: "P", 13: "u", 14: "s"}.get(tag)
        or {b"\x04\x20": "r", b"\x04\x13": "c", b"\x04\x18": "b"}.get(body, "x")
        for tag, body in parts
    )

    if re.fullmatch("Pr*(uc*)*(sb*)*", letters):
        merge_certificates([block])
    else:
        with pytest.raises(FormatError):
            merge_certificates([block])


@given(st.text(max_size=60))
def test_any_text_is_a_revocation_block_or_refused(text: str) -> None:
    with pytest.raises(FormatError):
        check_revocation_block(text)


def test_one_key_revocation_is_a_revocation_block() -> None:
    check_revocation_block(armored(packet(2, signature(0x20, b"x"))))
    for bad in (signature(0x28, b"x"), signature(0x1F, b"x"), b"\x03\x20", b""):
        with pytest.raises(FormatError):
            check_revocation_block(armored(packet(2, bad)))


# --- listings -------------------------------------------------------------------------------

LISTING = (
    "tru::1:1:0:3:1:5\n"
    "pub:r:255:22:AAAAAAAAAAAAAAAA:1672531200:::-:::c:::::ed25519:::0:\n"
    f"rev:!::22:AAAAAAAAAAAAAAAA:1672617600::::A:20x,01::{FINGERPRINT}:::8:::::a\\x3a b:\n"
    f"rev:-::22:AAAAAAAAAAAAAAAA:1672617601::::A:20x,02::{FINGERPRINT}:::8::::::\n"
    "uid:-::::1672531200::AB::A::::::::::0:\n"
    f"sig:!::22:AAAAAAAAAAAAAAAA:1672531300::::A:13x::{FINGERPRINT}:::8:\n"
    f"sig:!::22:BBBBBBBBBBBBBBBB:1672531900::::B:10x::{'B' * 40}:::8:\n"
    "sub:-:255:22:CCCCCCCCCCCCCCCC:1672531200::::::s:::::ed25519::\n"
    f"sig:!::22:AAAAAAAAAAAAAAAA:1672531400::::A:18x::{FINGERPRINT}:::8:\n"
)


def test_listing_tells_revocations_certifiers_and_the_newest_self_signature() -> None:
    parts = parse_signature_listing(LISTING.encode())
    assert [part.record for part in parts] == ["pub", "uid", "sub"]
    (revocation,) = key_revocations(parts, FINGERPRINT)
    assert (revocation.reason_code, revocation.text) == (1, "a: b")
    newest = newest_self_signature(parts, FINGERPRINT)
    assert newest is not None
    assert newest.timestamp() == 1672617600
    assert certifies_every_user_id(parts, "B" * 40)
    assert not certifies_every_user_id(parts, "C" * 40)
    for change in (("sig:!::22:BBBB", "sig:-::22:BBBB"), ("uid:-", "uid:r"), (":10x:", ":30x:")):
        changed = parse_signature_listing(LISTING.replace(*change).encode())
        assert not certifies_every_user_id(changed, "B" * 40)


@pytest.mark.parametrize(
    "bad",
    [
        "sig:!::22:AAAAAAAAAAAAAAAA:1::::A:13x::\n",
        "uid:-\n",
        LISTING * 2,
        LISTING.replace(":13x:", ":13:"),
        LISTING.replace(":1672531300:", ":soon:"),
        "pub\n",
        "pub:-\nsig:!\n",
    ],
)
def test_listing_of_another_form_is_not_understood(bad: str) -> None:
    with pytest.raises(ToolError):
        parse_signature_listing(bad.encode())


@given(st.binary(max_size=200))
def test_any_listing_is_read_or_not_understood(data: bytes) -> None:
    try:
        parse_signature_listing(b"pub:-\n" + data)
    except ToolError:
        return


@given(st.text(max_size=30))
def test_revocation_text_is_one_plain_line(text: str) -> None:
    try:
        assert check_revocation_text(text) == text
    except FormatError:
        return
    assert text.isascii()
    assert text.isprintable()
    assert text == text.strip()
