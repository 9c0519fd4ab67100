"""OpenPGP certificates as packets, and the merge of several exports of one key (KEY-4).

Extending an expiry replaces a key's self-signatures. A strict verifier (Sequoia) then
finds no self-signature that was in force when an older signature was made, and rejects
it. gpg cannot write the remedy: importing an older export after a newer one drops the
older subkey bindings. So the merge is made here. It is format work alone: packets are
told apart by their headers, kept byte for byte, and written once each.

Packets: RFC 4880, 4.2 and 4.3. Order in a certificate: 11.1. Armor: 6.1 and 6.2.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pai_signer.domain.openpgp_armor import (
    MAX_CERTIFICATE_BYTES,
    check_armored_certificate,
    checksum_line,
)
from pai_signer.errors import FormatError

#: A key that lives thirty years and is extended each year has a few hundred.
MAX_PACKETS: Final = 4096
MAX_EXPORTS: Final = 100

_SIGNATURE: Final = 2
_PRIMARY: Final = 6
_SUBKEY: Final = 14
#: User ID and user attribute.
_IDENTITIES: Final = frozenset({13, 17})

_KEY_REVOCATION: Final = 0x20
_REASON_FOR_REVOCATION: Final = 29
#: Which classes of signature may stand behind which packet (RFC 4880, 5.2.1).
_CLASSES: Final = {
    _PRIMARY: frozenset({0x1F, _KEY_REVOCATION}),
    13: frozenset({0x10, 0x11, 0x12, 0x13, 0x30}),
    17: frozenset({0x10, 0x11, 0x12, 0x13, 0x30}),
    _SUBKEY: frozenset({0x18, 0x28}),
}

_HEADER: Final = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_TAIL: Final = "-----END PGP PUBLIC KEY BLOCK-----"
_LINE_LENGTH: Final = 64


@dataclass(frozen=True)
class Packet:
    """One packet; two that differ in the form of their header only are the same."""

    tag: int
    body: bytes
    raw: bytes = field(compare=False)

    @property
    def signature_class(self) -> int:
        """What kind of version 4 signature this is; -1 for anything else."""
        is_version_4 = self.tag == _SIGNATURE and len(self.body) > 1 and self.body[0] == 4
        return self.body[1] if is_version_4 else -1


def split_packets(data: bytes) -> tuple[Packet, ...]:
    """Take ``data`` apart; partial and indeterminate lengths, cuts and rests are refused."""
    packets: list[Packet] = []
    at = 0
    while at < len(data):
        if len(packets) == MAX_PACKETS:
            raise _malformed(f"it holds more than {MAX_PACKETS} packets")
        tag, header_bytes, body_bytes = parse_header(data[at : at + 6])
        end = at + header_bytes + body_bytes
        if end > len(data):
            raise _malformed("a packet is cut off")
        packets.append(Packet(tag, data[at + header_bytes : end], data[at:end]))
        at = end
    return tuple(packets)


def parse_header(head: bytes) -> tuple[int, int, int]:
    """Tag, length of the header and length of the body, in bytes (RFC 4880, 4.2)."""
    if not head[0] & 0x80:
        raise _malformed("there is something that is no packet")
    if head[0] & 0x40:
        tag = head[0] & 0x3F
        if len(head) > 1 and head[1] < 192:
            return tag, 2, head[1]
        if len(head) > 2 and head[1] < 224:
            return tag, 3, ((head[1] - 192) << 8) + head[2] + 192
        if len(head) > 5 and head[1] == 255:
            return tag, 6, int.from_bytes(head[2:6], "big")
        raise _malformed("a packet has no definite length")
    octets = {0: 1, 1: 2, 2: 4}.get(head[0] & 3)
    if octets is None or len(head) < 1 + octets:
        raise _malformed("a packet has no definite length")
    return (head[0] >> 2) & 0x0F, 1 + octets, int.from_bytes(head[1 : 1 + octets], "big")


def dearmored(block: str) -> bytes:
    """The packets of one armored public key block, whose checksum must be right."""
    return check_armored_certificate(block)


def armored(data: bytes) -> str:
    """``data`` as an armored public key block, in the form in which gpg writes it."""
    text = base64.b64encode(data).decode("ascii")
    lines = [text[i : i + _LINE_LENGTH] for i in range(0, len(text), _LINE_LENGTH)]
    return "\n".join([_HEADER, "", *lines, checksum_line(data), _TAIL, ""])


def primary_fingerprint(block: str) -> str:
    """Fingerprint of a certificate's version 4 primary key, in upper hex (RFC 4880, 12.2)."""
    packets = split_packets(dearmored(block))
    if not packets or packets[0].tag != _PRIMARY or packets[0].body[:1] != b"\x04":
        raise FormatError(
            "KEY-2/version",
            "The certificate does not begin with a primary key of version 4.",
            "Use a key with a fingerprint of 40 hexadecimal digits.",
        )
    body = packets[0].body
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    # SHA-1, because the standard defines the fingerprint by it.
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


@dataclass
class _Certificate:
    """Parts of one certificate with their signatures; dicts keep order and drop doubles."""

    parts: dict[Packet, dict[Packet, None]] = field(default_factory=dict)

    @property
    def primary(self) -> Packet:
        return next(iter(self.parts))

    def take(self, packets: Iterable[Packet]) -> None:
        """Add the packets of one export, checking their order and kind."""
        part: Packet | None = None
        for packet in packets:
            if packet.tag == _SIGNATURE:
                if part is None or packet.signature_class not in _CLASSES[part.tag]:
                    raise _malformed("a signature stands where it does not belong")
                self.parts[part][packet] = None
                continue
            _check_order(part, packet)
            if packet.tag == _PRIMARY and self.parts and packet != self.primary:
                raise FormatError(
                    "KEY-4/other-key",
                    "These are certificates of different OpenPGP keys.",
                    "Merge only exports of one and the same key.",
                )
            part = packet
            self.parts.setdefault(packet, {})
        if part is None:
            raise _malformed("it is empty")

    def written(self) -> bytes:
        # Every user ID stands before every subkey; the sort keeps their order otherwise.
        parts = sorted(self.parts.items(), key=lambda item: item[0].tag == _SUBKEY)
        return b"".join(p.raw for head, signatures in parts for p in (head, *signatures))


def _check_order(previous: Packet | None, packet: Packet) -> None:
    """The primary first and once, then user IDs and attributes, then subkeys."""
    if (packet.tag == _PRIMARY) != (previous is None):
        raise _malformed("it is not one public key")
    if packet.tag == _PRIMARY:
        return
    if packet.tag not in _IDENTITIES | {_SUBKEY}:
        raise _malformed(f"a packet of kind {packet.tag} does not belong there")
    if previous is not None and previous.tag == _SUBKEY and packet.tag != _SUBKEY:
        raise _malformed("a user ID stands behind a subkey")


def merge_certificates(blocks: Sequence[str]) -> str:
    """One armored certificate with every signature of all ``blocks``, each once (KEY-4).

    All must be exports of the same primary key. Signatures stand in the order of
    ``blocks``; verifiers judge them by their dates. Raises ``FormatError``.
    """
    if not blocks or len(blocks) > MAX_EXPORTS:
        raise FormatError(
            "KEY-4/certificates",
            f"{len(blocks)} certificates cannot be merged.",
            f"Give between 1 and {MAX_EXPORTS} exports of one key.",
        )
    merged = _Certificate()
    for block in blocks:
        merged.take(split_packets(dearmored(block)))
    written = merged.written()
    if len(written) > MAX_CERTIFICATE_BYTES // 2:
        raise _malformed("the merged certificate is larger than any key needs")
    return armored(written)


def without_key_revocations(block: str) -> str:
    """The certificate as it was before any revocation of the whole key."""
    packets = split_packets(dearmored(block))
    return armored(b"".join(p.raw for p in packets if p.signature_class != _KEY_REVOCATION))


def key_revocation_codes(block: str) -> tuple[int | None, ...]:
    """The reason code of each revocation of the whole key in a certificate, in order.

    RFC 4880, 5.2.3.23; None for one that gives no reason or cannot be read. Nothing is
    verified: whoever decides by this takes the worst that it says.
    """
    packets = split_packets(dearmored(block))
    return tuple(_reason_code(p.body) for p in packets if p.signature_class == _KEY_REVOCATION)


def _reason_code(body: bytes) -> int | None:
    found = subpackets(body[6:], int.from_bytes(body[4:6], "big"))
    codes = [data[0] for kind, data in found or () if kind == _REASON_FOR_REVOCATION and data]
    return codes[-1] if codes else None


def subpackets(area: bytes, length: int) -> tuple[tuple[int, bytes], ...] | None:
    """Kind and data of each subpacket in the first ``length`` bytes of ``area``.

    RFC 4880, 5.2.3.1; the mark of critical ones is taken off. None where they cannot be read.
    """
    found: list[tuple[int, bytes]] = []
    if length > len(area):
        return None
    at = 0
    while at < length:
        octets = 1 if area[at] < 192 else 2 if area[at] < 255 else 5
        header = area[at : at + octets]
        if octets == 1:
            size = header[0]
        elif octets == 2:
            size = ((header[0] - 192) << 8) + header[-1] + 192
        else:
            size = int.from_bytes(header[1:], "big")
        at += octets
        if size < 1 or at + size > length:
            return None
        found.append((area[at] & 0x7F, area[at + 1 : at + size]))
        at += size
    return tuple(found)


def check_revocation_block(block: str) -> None:
    """One revocation of a whole key, and nothing else that gpg would import with it."""
    packets = split_packets(dearmored(block))
    if len(packets) != 1 or packets[0].signature_class != _KEY_REVOCATION:
        raise FormatError(
            "KEY-5/revocation",
            "This is not one revocation certificate of an OpenPGP key.",
            "Take the file that was made with the key, and nothing around it.",
        )


def _malformed(why: str) -> FormatError:
    return FormatError(
        "KEY-4/format",
        f"This is not an OpenPGP certificate as it should be: {why}.",
        "Use the certificate as gpg exported it.",
    )
