"""How an OpenPGP secret key is protected, read from its export without opening it (CUS-2).

gpg imports a key that is open or weakly protected without a word. So each secret packet
is taken apart as far as it is readable: version 4 keys (RFC 4880, 5.5.2 and 5.5.3; curves
as in RFC 6637, section 9, and EdDSA as algorithm 22), string-to-key specifiers (3.7.1)
and, for symmetrically encrypted files, the session key packet (5.3).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.openpgp_armor import dearmored_secret_key
from pai_signer.domain.openpgp_certificate import Packet, parse_header, split_packets
from pai_signer.errors import FormatError, PolicyRefused

#: The strongest passphrase hashing that OpenPGP's one-byte count can say (3.7.1.3), in bytes
#: hashed for one guess; stock gpg writes it where its agent is told to.
S2K_COUNT_BYTES: Final = 65_011_712

_SECRET_KEY: Final = 5
_SECRET_SUBKEY: Final = 7
#: Signatures, user IDs and user attributes.
_BESIDE: Final = frozenset({2, 13, 17})
_SESSION_KEY: Final = 3
_ENCRYPTED_DATA: Final = 18

_SHA_1_CHECKED: Final = 254
#: A two-byte sum instead of a hash. Any other number is a cipher under bare MD5.
_SUM_CHECKED: Final = 255
_OPEN: Final = 0
_ITERATED: Final = 3
#: GnuPG's own kind, 101: "the secret part is not here" (doc/DETAILS, "GNU extensions to S2K").
_GNU_STUB: Final = 101

_AES: Final = {7: 16, 8: 16, 9: 16}
_AES_256: Final = 9
#: SHA-1 (2) is all that stock gpg can export with, and as a S2K it only has to be slow;
#: SHA-256, SHA-384, SHA-512 (9.4).
_HASHES: Final = frozenset({2, 8, 9, 10})
_SHA_512: Final = 10
_SALT_BYTES: Final = 8
_SHA_1_BYTES: Final = 20


@dataclass(frozen=True)
class SecretPart:
    """The primary key or a subkey of a secret key export: upper-hex fingerprint, lower-hex salt."""

    is_primary: bool
    fingerprint: str
    salt: str


@dataclass(frozen=True)
class SecretKeyExport:
    """A secret key of which every part is protected as stock gpg can at best."""

    parts: tuple[SecretPart, ...]

    @property
    def fingerprint(self) -> str:
        """The primary's."""
        return self.parts[0].fingerprint

    @property
    def subkeys(self) -> tuple[str, ...]:
        """The fingerprints of the subkeys, in their order."""
        return tuple(part.fingerprint for part in self.parts[1:])

    @property
    def salts(self) -> tuple[str, ...]:
        """One for each secret packet: two copies of one export share them (CUS-3)."""
        return tuple(part.salt for part in self.parts)


def parse_secret_key(data: bytes) -> SecretKeyExport:
    """Take one armored secret key export apart, and refuse a protection that is none.

    Raises ``FormatError`` for anything that is not the export of one whole key,
    ``PolicyRefused`` for a part that is open (``KEY-1/unprotected``), weakly protected
    (``CUS-2/weak-protection``) or not there (``CUS-2/secret-missing``). Nothing is
    decrypted: that the passphrase opens it, and that what it opens is right, is not shown.
    """
    parts: list[SecretPart] = []
    for packet in split_packets(dearmored_secret_key(data)):
        if packet.tag in {_SECRET_KEY, _SECRET_SUBKEY}:
            if (packet.tag == _SECRET_KEY) != (not parts):
                raise _malformed("it is not one secret key")
            parts.append(_secret_part(packet))
        elif packet.tag not in _BESIDE or not parts:
            raise _malformed(f"a packet of kind {packet.tag} does not belong there")
    if not parts:
        raise _malformed("it holds no secret key")
    if len({part.fingerprint for part in parts}) != len(parts):
        raise _malformed("a part of it stands there twice")
    return SecretKeyExport(tuple(parts))


def symmetric_salt(data: bytes) -> str:
    """The salt, in lower hex, of a file that gpg encrypted under a passphrase alone.

    ``FormatError`` unless it is AES-256 under SHA-512, hashed ``S2K_COUNT_BYTES``, with
    integrity protection.
    """
    tag, header_bytes, body_bytes = parse_header(data[:6]) if data else (0, 0, 0)
    end = header_bytes + body_bytes
    if tag != _SESSION_KEY or end >= len(data):
        raise _malformed("it is not encrypted under a passphrase")
    reader = _Reader(data[header_bytes:end])
    if (reader.octet(), reader.octet()) != (4, _AES_256):
        raise _malformed("it is not encrypted with AES-256")
    kind, digest, salt, count_bytes = _s2k(reader)
    if (kind, digest, count_bytes) != (_ITERATED, _SHA_512, S2K_COUNT_BYTES):
        raise _malformed("its passphrase is not hashed as it should be")
    if reader.left or _tag(data[end]) != _ENCRYPTED_DATA:
        raise _malformed("its passphrase does not open it directly, or nothing guards its content")
    return salt.hex()


class _Reader:
    """Reads the fields of one packet in turn."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise _malformed("a packet is cut off")
        self.at += count
        return self._data[self.at - count : self.at]

    def octet(self) -> int:
        return self.take(1)[0]

    def number(self) -> None:
        """A multiprecision integer (3.2): its length in bits, then its octets."""
        bits = int.from_bytes(self.take(2), "big")
        self.take((bits + 7) // 8)

    def counted(self) -> None:
        """A field that begins with its length in one octet: an OID, KDF parameters."""
        self.take(self.octet())

    @property
    def left(self) -> int:
        return len(self._data) - self.at


def _numbers(count: int) -> tuple[Callable[[_Reader], None], ...]:
    return (_Reader.number,) * count


#: The public fields of each algorithm (9.1) before the secret ones.
_PUBLIC_FIELDS: Final = {
    **dict.fromkeys((1, 2, 3), _numbers(2)),  # RSA: n, e
    16: _numbers(3),  # Elgamal: p, g, y
    17: _numbers(4),  # DSA: p, q, g, y
    18: (_Reader.counted, _Reader.number, _Reader.counted),  # ECDH
    19: (_Reader.counted, _Reader.number),  # ECDSA
    22: (_Reader.counted, _Reader.number),  # EdDSA
}


def _secret_part(packet: Packet) -> SecretPart:
    reader = _Reader(packet.body)
    if reader.octet() != 4:
        raise _malformed("a secret key is not of version 4")
    reader.take(4)  # when it was made
    fields = _PUBLIC_FIELDS.get(reader.octet())
    if fields is None:
        raise _malformed("the algorithm of a secret key is unknown")
    for read in fields:
        read(reader)
    public = packet.body[: reader.at]
    # RFC 4880, 12.2: a name for the key, not a protection of it.
    named = hashlib.sha1(b"\x99" + len(public).to_bytes(2, "big") + public, usedforsecurity=False)
    fingerprint = named.hexdigest().upper()
    salt = _protection(reader, fingerprint)
    return SecretPart(packet.tag == _SECRET_KEY, fingerprint, salt.hex())


def _protection(reader: _Reader, fingerprint: str) -> bytes:
    usage = reader.octet()
    if usage == _OPEN:
        raise PolicyRefused(
            "KEY-1/unprotected",
            f"The OpenPGP secret key {fingerprint} is not protected by any passphrase.",
            "Make the backup anew, and destroy the open copies.",
        )
    if usage not in {_SHA_1_CHECKED, _SUM_CHECKED}:
        raise _weak(fingerprint, "its passphrase is hashed with MD5 alone")
    cipher = reader.octet()
    kind, digest, salt, count_bytes = _s2k(reader)
    if kind == _GNU_STUB:
        raise PolicyRefused(
            "CUS-2/secret-missing",
            f"The secret part of the OpenPGP key {fingerprint} is not in this file.",
            "Make the backup anew, from a workstation that holds the whole key.",
        )
    if usage != _SHA_1_CHECKED:
        raise _weak(fingerprint, "its content is not guarded by a hash")
    if kind != _ITERATED or count_bytes < S2K_COUNT_BYTES:
        raise _weak(fingerprint, "its passphrase is hashed too little")
    if digest not in _HASHES:
        raise _weak(fingerprint, "its passphrase is hashed with a broken or unknown algorithm")
    if cipher not in _AES:
        raise _weak(fingerprint, "it is not encrypted with AES")
    reader.take(_AES[cipher])  # the initial vector
    if reader.left <= _SHA_1_BYTES:
        raise _malformed("a secret key is cut off")
    return salt


def _s2k(reader: _Reader) -> tuple[int, int, bytes, int]:
    """Kind, hash algorithm, salt, and bytes hashed for one guess (3.7.1)."""
    kind, digest = reader.octet(), reader.octet()
    if kind not in {0, 1, _ITERATED, _GNU_STUB}:
        raise _malformed("its passphrase hashing is unknown")
    if kind in {0, _GNU_STUB}:
        return kind, digest, b"", 0
    salt = reader.take(_SALT_BYTES)
    if kind != _ITERATED:
        return kind, digest, salt, 0
    code = reader.octet()
    return kind, digest, salt, (16 + (code & 15)) << ((code >> 4) + 6)


def _tag(first: int) -> int:
    """The kind of a packet, by its first octet (4.2)."""
    return first & 0x3F if first & 0x40 else (first >> 2) & 0x0F


def _weak(fingerprint: str, why: str) -> PolicyRefused:
    return PolicyRefused(
        "CUS-2/weak-protection",
        f"The OpenPGP secret key {fingerprint} is weakly protected: {why}.",
        "Make the backup anew with this program, and destroy the weak copies.",
    )


def _malformed(why: str) -> FormatError:
    return FormatError(
        "CUS-2/format",
        f"This is not the OpenPGP file that a backup holds: {why}.",
        "The file is damaged, or was never made for a backup; use another copy.",
    )
