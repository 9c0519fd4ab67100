"""Git packs and bundles made by hand, byte for byte: what no honest git would write.

Format: gitformat-pack(5). Zeros are compressed without being there: a deflate stream that
was flushed fully can be repeated (RFC 1951), and only its Adler-32 has to be computed.
"""

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.domain.test_tag_bundle import header_of

COMMIT: Final = 1
TREE: Final = 2
BLOB: Final = 3
TAG: Final = 4
_REF_DELTA: Final = 7
_PIECE: Final = 16 << 20


def whole(kind: int, content: bytes) -> bytes:
    """One object as it is."""
    return header_of(kind, len(content)) + zlib.compress(content)


def zeros(kind: int, start: bytes, pieces: int) -> bytes:
    """An object of ``start`` and so many times 16 MiB of zeros, in a few kilobytes each."""
    deflate = zlib.compressobj(9, wbits=-15)
    stream = b"\x78\xda" + deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    piece = bytes(_PIECE)
    stream += (deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)) * pieces
    stream += zlib.compressobj(9, wbits=-15).flush()
    total = zlib.adler32(start)
    for _ in range(pieces):
        total = zlib.adler32(piece, total)
    return header_of(kind, len(start) + pieces * _PIECE) + stream + total.to_bytes(4, "big")


def delta_bomb(base: bytes, copies: int) -> bytes:
    """A delta of a few bytes that copies all of a blob ``base`` so many times."""
    copy = b"\xf0" + len(base).to_bytes(3, "little")
    delta = _size(len(base)) + _size(len(base) * copies) + copy * copies
    oid = hashlib.sha1(b"blob %d\0" % len(base) + base, usedforsecurity=False).digest()
    return header_of(_REF_DELTA, len(delta)) + oid + zlib.compress(delta)


def _size(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes((*encoded, number))


def bundle(path: Path, head: str, objects: Sequence[bytes], count: int | None = None) -> Path:
    """A bundle whose ``refs/heads/main`` is ``head``; ``count`` is what the pack claims to hold."""
    number = len(objects) if count is None else count
    pack = b"PACK\0\0\0\2" + number.to_bytes(4, "big") + b"".join(objects)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    path.write_bytes(f"# v2 git bundle\n{head} refs/heads/main\n\n".encode() + pack)
    return path
