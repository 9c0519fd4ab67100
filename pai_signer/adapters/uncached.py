"""Reads small files from the medium itself, not from the page cache (EXP-2, CUS-2).

A file that was just written, or was read before, comes out of memory: a stick that
stores nothing, or has rotted since, would pass for good.
"""

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from pai_signer.adapters import device_errors
from pai_signer.errors import FormatError

#: O_DIRECT wants multiples of the block size; an anonymous map is page-aligned.
_DIRECT_BYTES: Final = 1 << 20


def read_uncached(
    folder: int, name: str, *, limit_bytes: int | None = None, requirement: str = "EXP-2"
) -> bytes:
    """The content of the file ``name`` in the directory that descriptor ``folder`` holds.

    O_DIRECT (open(2)) where the filesystem has it; elsewhere the cached pages are
    dropped first (posix_fadvise(2)), which works only for pages already written.
    Raises ``MediumError`` where it cannot be read, ``FormatError`` if it is larger
    than ``limit_bytes``.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with device_errors.explained(f"read '{name}' back from the medium", requirement=requirement):
        descriptor = os.open(name, flags, dir_fd=folder)
        try:
            # What cannot be written has nothing to flush, and some such filesystems refuse to.
            if not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
                os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            with _direct(folder, name, flags) as direct:
                if direct is not None:
                    with suppress(_NotDirectError):
                        return _read_all(direct, name, limit_bytes, may_refuse=True)
            return _read_all(descriptor, name, limit_bytes, may_refuse=False)
        finally:
            os.close(descriptor)


class _NotDirectError(Exception):
    """The filesystem opened the file for direct reading, then refused to read so."""


@contextmanager
def _direct(folder: int, name: str, flags: int) -> Iterator[int | None]:
    try:
        descriptor = os.open(name, flags | os.O_DIRECT, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, name: str, limit_bytes: int | None, *, may_refuse: bool) -> bytes:
    content = bytearray()
    with mmap.mmap(-1, _DIRECT_BYTES) as aligned:
        while True:
            try:
                count = os.readv(descriptor, [aligned])
            except OSError as error:
                if may_refuse and error.errno == errno.EINVAL:
                    raise _NotDirectError from error
                raise
            if count == 0:
                return bytes(content)
            content += aligned[:count]
            if limit_bytes is not None and len(content) > limit_bytes:
                raise FormatError(
                    "IMP-2/too-large",
                    f"'{name}' is larger than {limit_bytes} bytes, the most that is read of it.",
                    "Look at the file: it is not what its name says.",
                )
