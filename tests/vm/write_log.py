"""Power cuts from a log of everything that the guest wrote to its stick.

QEMU's ``blklogwrites`` keeps each write and each flush in the order in which the stick got
them. A power cut ends that order somewhere: what the guest had not yet sent stands only in
its page cache, and is not in the log up to there. So one boot gives every cut of a run, each
with the very bytes that the stick would hold; killing QEMU gives one, and
``test_power_cut`` compares the two byte for byte.

A stick with a write cache may lose more: of what came after the last flush, anything
(``Kept``). This is how Linux tests its own filesystems.

Sources: linux, Documentation/admin-guide/device-mapper/log-writes.rst (the format);
qemu, block/blklogwrites.c.
"""

import random
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

SECTOR_BYTES: Final = 512
_MAGIC: Final = 0x6A736677736872
_SUPER: Final = struct.Struct("<QQQI")  # magic, version, entries, sector size
_ENTRY: Final = struct.Struct("<QQQQ")  # sector, sectors, flags, length of a mark's text
_FLUSH: Final = 1
_DISCARD: Final = 4


class Kept(Enum):
    """What a stick still holds of that which was sent after the last flush."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True)
class Write:
    """``data`` came to the stick at ``offset``; or, without data, a flush."""

    offset: int
    data: bytes


def read_log(path: Path) -> tuple[Write, ...]:
    """Every write and flush, in their order; ``ValueError`` for what the log should not hold."""
    log = path.read_bytes()
    magic, version, entries, sector_bytes = _SUPER.unpack_from(log)
    if (magic, version, sector_bytes) != (_MAGIC, 1, SECTOR_BYTES):
        raise ValueError("not a write log")
    found = []
    at = SECTOR_BYTES
    for _ in range(entries):
        sector, sectors, flags, _ = _ENTRY.unpack_from(log, at)
        at += SECTOR_BYTES
        if flags & _DISCARD:
            raise ValueError("a discard: the stick said that it takes none")
        if flags & _FLUSH:
            found.append(Write(0, b""))
        if sectors:
            data = log[at : at + sectors * SECTOR_BYTES]
            found.append(Write(sector * SECTOR_BYTES, data))
            at += len(data)
    return tuple(found)


def acknowledged(writes: tuple[Write, ...], size_bytes: int) -> int:
    """How many files the program had called durable when the last of ``writes`` came."""
    marks = (each.data for each in reversed(writes) if each.offset == size_bytes - SECTOR_BYTES)
    return int.from_bytes(next(marks, b"")[:8], "little")


def after_cut(base: bytes, writes: tuple[Write, ...], kept: Kept) -> bytearray:
    """What the stick holds if the power went after the last of ``writes``."""
    image = bytearray(base)
    flushed = max((n for n, each in enumerate(writes) if not each.data), default=0)
    chosen = random.Random(len(writes))
    for number, each in enumerate(writes):
        if number < flushed or kept is Kept.ALL or (kept is Kept.SOME and chosen.random() < 0.5):
            image[each.offset : each.offset + len(each.data)] = each.data
    return image
