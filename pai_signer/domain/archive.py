"""Several small files as one: a tar archive with one spelling (CUS-1).

POSIX.1-1988 ustar, which every tar reads, with nothing in it but names and bytes: no dates, no
owners, sorted. What we read back has to be, byte for byte, what we would write.
"""

import io
import tarfile
from collections.abc import Mapping


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive: the same bytes for the same files. ``ValueError`` for a name it cannot hold."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o600
            archive.addfile(member, io.BytesIO(files[name]))
    return packed.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Files by name, in memory; ``ValueError`` for anything that ``pack`` would not write."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            found = {
                member.name: file.read()
                for member in archive
                # A sparse file of a few bytes may say that it is gigabytes of zeros.
                if member.isreg()
                and member.size < len(data)
                and (file := archive.extractfile(member)) is not None
            }
    except (tarfile.TarError, OSError) as error:
        raise ValueError("is no archive") from error
    if pack(found) != data:
        raise ValueError("is not as this program packs it")
    return found
