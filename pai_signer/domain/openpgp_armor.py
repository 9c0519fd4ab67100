"""Armored detached signatures and certificates, taken apart strictly (SIG-3, SIG-5).

Packets and armor: RFC 4880, sections 4.2 and 6.2. gpg forgives much more than
it should here: text around the armor, several blocks, other kinds of message.
"""

import base64
import binascii
import re
from typing import Final

from pai_signer.errors import FormatError

MAX_SIGNATURE_BYTES: Final = 16 << 10
MAX_CERTIFICATE_BYTES: Final = 1 << 20

_SIGNATURE: Final = "PGP SIGNATURE"
_PUBLIC_KEY: Final = "PGP PUBLIC KEY BLOCK"
_PRIVATE_KEY: Final = "PGP PRIVATE KEY BLOCK"
_SIGNATURE_TAG: Final = 2  # RFC 4880, 4.3


def parse_armored_signature(data: bytes) -> bytes:
    """The one signature packet inside an armored detached signature.

    Refuses everything else that ``gpg --verify`` would take: cleartext and inline
    signed messages, two signatures in a row, text around the armor.
    """
    packet = _dearmored(data, _SIGNATURE, MAX_SIGNATURE_BYTES)
    tag, length = _first_packet(packet)
    if tag != _SIGNATURE_TAG:
        raise _malformed("it holds no signature")
    if length != len(packet):
        raise _malformed("it holds more than one packet")
    return packet


def check_armored_certificate(text: str) -> bytes:
    """One armored public key block: no secret key, nothing around it; returns its packets."""
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise _malformed("it is not ASCII text") from error
    return _dearmored(data, _PUBLIC_KEY, MAX_CERTIFICATE_BYTES)


def dearmored_secret_key(data: bytes) -> bytes:
    """The packets of one armored secret key export, and nothing around it."""
    return _dearmored(data, _PRIVATE_KEY, MAX_CERTIFICATE_BYTES)


def _dearmored(data: bytes, kind: str, limit_bytes: int) -> bytes:
    """RFC 4880, 6.2: header line, armor headers, blank line, base64, ``=`` checksum, tail."""
    if len(data) > limit_bytes:
        raise _malformed(f"it is larger than {limit_bytes} bytes")
    try:
        lines = data.decode("ascii").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("it is not ASCII text") from error
    if lines[0] != f"-----BEGIN {kind}-----" or lines[-1] != f"-----END {kind}-----":
        raise _malformed("it is not one armored block of its kind")
    body = lines[1:-1]
    if "" not in body:
        raise _malformed("its armor has no blank line")
    blank = body.index("")
    if not all(re.fullmatch(r"[A-Za-z]+: [ -~]*", header) for header in body[:blank]):
        raise _malformed("its armor headers are damaged")
    base64_lines = body[blank + 1 :]
    checksum = None
    if base64_lines and base64_lines[-1].startswith("="):
        checksum = base64_lines.pop()
    text = "".join(base64_lines)
    try:
        packets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("its base64 is damaged") from error
    # b64decode ignores the unused bits of the last character: one value, one spelling.
    if base64.b64encode(packets).decode("ascii") != text:
        raise _malformed("its base64 is not canonical")
    # It may be missing, and protects against no attacker; but a wrong one is a changed file.
    if checksum not in (None, checksum_line(packets)):
        raise _malformed("its checksum is wrong")
    return packets


def _crc_24(byte: int) -> int:
    """What one byte adds to the CRC-24 of RFC 4880, 6.1."""
    crc = byte << 16
    for _ in range(8):
        crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc & 0xFFFFFF


_CRC_24: Final = tuple(_crc_24(byte) for byte in range(256))


def checksum_line(data: bytes) -> str:
    """``=`` and the CRC-24 of RFC 4880, 6.1, in base64."""
    crc = 0xB704CE
    for byte in data:
        crc = (crc << 8 & 0xFFFFFF) ^ _CRC_24[crc >> 16 ^ byte]
    return f"={base64.b64encode(crc.to_bytes(3, 'big')).decode('ascii')}"


def _first_packet(data: bytes) -> tuple[int, int]:
    """Tag and whole length in bytes of the first packet (RFC 4880, 4.2)."""
    try:
        first = data[0]
        if not first & 0x80:
            raise _malformed("it does not start with a packet")
        if first & 0x40:
            return first & 0x3F, _new_length(data)
        octets = {0: 1, 1: 2, 2: 4}.get(first & 3)
        if octets is None:
            raise _malformed("its packet has no definite length")
        if len(data) < 1 + octets:
            raise _malformed("its packet is cut off")
        return (first >> 2) & 0x0F, 1 + octets + int.from_bytes(data[1 : 1 + octets], "big")
    except IndexError as error:
        raise _malformed("its packet is cut off") from error


def _new_length(data: bytes) -> int:
    if data[1] < 192:
        return 2 + data[1]
    if data[1] < 224:
        return 3 + ((data[1] - 192) << 8) + data[2] + 192
    if data[1] == 255 and len(data) >= 6:
        return 6 + int.from_bytes(data[2:6], "big")
    raise _malformed("its packet has no definite length")


def _malformed(why: str) -> FormatError:
    return FormatError(
        "SIG-3/format",
        f"This is not what an armored OpenPGP file should be: {why}.",
        "Use the file as gpg wrote it.",
    )
