"""The shells of the formats, and words of the formats that chance would not find."""

import base64
import binascii
import hashlib
from typing import Any, Final

import msgspec

from pai_signer.domain.journal import GENESIS
from pai_signer.domain.openpgp_armor import checksum_line
from tests.fuzzing.mutations import TOKENS, Closing, Shell, spoilt_tree

# --- shells -------------------------------------------------------------------------------------


def armor(kind: str) -> Shell:
    begin, end = f"-----BEGIN {kind}-----\n\n".encode(), f"\n-----END {kind}-----\n".encode()

    def opened(data: bytes) -> tuple[bytes, Closing]:
        _, found, rest = data.partition(b"\n\n")
        if not found or not rest.endswith(end):
            raise ValueError(kind)
        text = rest.removesuffix(end).rpartition(b"\n=")[0]
        return base64.b64decode(text.replace(b"\n", b""), validate=True), closed

    def closed(inside: bytes) -> bytes:
        return begin + base64.b64encode(inside) + b"\n" + checksum_line(inside).encode() + end

    return Shell(opened, PACKETS)


#: Headers of packets with lengths of all forms, and heads of signatures, keys and specifiers.
PACKETS: Final = (
    *(
        b"\x85\x01\x02",
        b"\x88\x05\x04\x20",
        b"\xc2\xff\xff\xff\xff\xff",
        b"\xc2\xe0",
        b"\xc6\xc0\x00",
    ),
    *(b"\x99\x00\x00", b"\xb4\x00", b"\xb0\x00", b"\x9a\xff\xff\xff\xff", b"\x8b", b"\xc5\xbf"),
    *(b"\xfe\x09\x03\x02", b"\xfe\x07\x65\x00GNU\x01", b"\xff\x03\x00\x02", b"\x00", b"\x04\x20"),
    *(b"\xff\xff", b"\x00\x00", b"\xff" * 64, b"\x05\x1d\x02why", b"\xff\xff\xff\xff\xff\x1d"),
)


def base64_line(number: int) -> Shell:
    """Line ``number`` of a file of minisign's, counted from 0."""

    def opened(data: bytes) -> tuple[bytes, Closing]:
        lines = data.split(b"\n")
        if len(lines) <= number:
            raise ValueError("no such line")

        def closed(inside: bytes) -> bytes:
            return b"\n".join([*lines[:number], base64.b64encode(inside), *lines[number + 1 :]])

        return binascii.a2b_base64(lines[number]), closed

    return Shell(opened)


def repaired(repair: Closing, tokens: tuple[bytes, ...] = TOKENS) -> Shell:
    """Spoilt as it is, then given the right checksums."""
    return Shell(lambda data: (data, repair), tokens)


def chained(data: bytes) -> bytes:
    """Journal lines with their facts as they are, and a chain that is right."""
    previous, lines = GENESIS, []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            tree = msgspec.json.decode(line)
            kept = {"n": number, "at": tree["at"], "event": tree["event"], "facts": tree["facts"]}
            head = msgspec.json.encode({**kept, "previous": previous})[:-1]
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError):
            continue
        previous = hashlib.sha256(head).hexdigest()
        lines.append(head + b',"hash":"' + previous.encode() + b'"}\n')
    return b"".join(lines)


def rechained_tree(chance: Any, data: bytes) -> bytes:
    """One entry changed within its meaning, and the chain made right again behind it."""
    lines = data.splitlines()
    if not lines:
        return data
    at = chance.randrange(len(lines))
    spoilt = spoilt_tree(chance, lines[at])
    try:
        lines[at] = msgspec.json.encode(msgspec.json.decode(spoilt))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return data
    return chained(b"\n".join(lines))


def packed(data: bytes) -> bytes:
    """A bundle whose pack's checksum is right."""
    head, found, pack = data.partition(b"\n\n")
    body = pack[:-20] if len(pack) > 20 else pack
    return head + found + body + hashlib.sha1(body, usedforsecurity=False).digest()


def summed_tar(data: bytes) -> bytes:
    """Blocks of 512 bytes; those that look like a header get the right sum (POSIX ustar)."""
    blocks = bytearray(data)
    for at in range(0, len(blocks) - 511, 512):
        if blocks[at + 257 : at + 262] == b"ustar":
            blocks[at + 148 : at + 156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
    return bytes(blocks)


STATUS_WORDS: Final = tuple(
    f"[GNUPG:] {word}\n".encode()
    for word in (
        *("GOODSIG A b", "BADSIG A b", "EXPSIG A b", "EXPKEYSIG A b", "REVKEYSIG A b", "NEWSIG"),
        *("ERRSIG A 1 8 00 1 9", "ERRSIG", "VALIDSIG", "KEYREVOKED", "NODATA 1", "FAILURE x 1"),
    )
)
TOML: Final = (
    *(b"[project]\n", b"[[artifacts.wanted]]\n", b'names = ["{tag}{version}"]\n', b"name = 1\n"),
    *(b"a = " + b"[" * 2000, b"a." * 2000 + b"b = 1\n", b"x = " + b"9" * 5000, b"0x" + b"f" * 9000),
    *(b'"""', b"1979-05-27T07:32:00Z", b"inf", b"{version}", b"{tag}", b'"\\uD800"', b"a = {"),
)
TAR: Final = (
    *(b"ustar\x0000", b"ustar  \0", b"77777777777\0", b"\x80\0\0\0\0\0\0\0\x7f\xff\xff\xff"),
    *(b"S", b"L", b"K", b"x", b"g", b"30 GNU.sparse.realsize=99999999\n", b"11 size=-1\n", b"D"),
    *(b"22 GNU.sparse.map=0,1\n", b"19 GNU.sparse.major=1\n", b"compromised.asc\0", bytes(512)),
)
