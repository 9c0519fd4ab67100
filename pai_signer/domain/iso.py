"""What an ISO image says of itself: size, boot entries, architecture (IMP-5).

Pure: bytes come from a ``read(offset, length)`` callable, few and small. An
image is hostile until its digest is proved, so every count is bounded and
whatever does not parse becomes a finding. Only the digest is proof; these
findings tell a person what kind of thing is about to be signed.

Formats: ECMA-119 (ISO 9660), El Torito 1.0 (Phoenix/IBM 1995), UEFI 2.10
chapters 5 (MBR and GPT) and 3.5.1.1 (removable media boot file names),
Microsoft's FAT specification (directory entries).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.artifact import Finding, FindingLevel
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

Read = Callable[[int, int], bytes]

_SECTOR: Final = 2048
_BLOCK: Final = 512
_FIRST_DESCRIPTOR: Final = 16
_MAX_DESCRIPTORS: Final = 32
_MAX_CATALOG_ENTRIES: Final = 64
_MAX_DIRECTORY_BYTES: Final = 64 << 10
_MAX_FAT_SCAN_BYTES: Final = 512 << 10
_MAX_TAIL_BYTES: Final = 1 << 20

_BIOS: Final = 0x00
_EFI: Final = 0xEF

#: Architecture by the file name that firmware looks for.
_EFI_PROGRAMS: Final = {
    "BOOTX64.EFI": "amd64",
    "BOOTAA64.EFI": "arm64",
    "BOOTIA32.EFI": "i386",
    "BOOTARM.EFI": "armhf",
    "BOOTRISCV64.EFI": "riscv64",
}
_X86: Final = frozenset({"amd64", "i386"})


def inspect_iso(read: Read, size_bytes: int, architecture: str) -> tuple[Finding, ...]:
    """Look at an image of ``size_bytes`` that its name says is for ``architecture``.

    ``architecture`` is a Debian name (``amd64``, ``arm64``). ``read`` returns the bytes
    asked for, fewer only at the end of the file. At most 3 MiB are read. Nothing is raised
    for bad bytes: they become ``BAD`` findings. Errors of ``read`` itself pass through.
    """
    window = _Window(read, size_bytes)
    findings: list[Finding] = []
    try:
        volume = _read_volume(window)
    except FormatError as error:
        return (_bad(f"not an ISO 9660 image: {error.summary}"),)
    findings.append(_describe_volume(volume))
    boot: tuple[_BootEntry, ...] = ()
    try:
        boot = _read_boot_entries(window, volume)
        programs = _efi_architectures(window, volume, boot)
    except FormatError as error:
        findings.append(_bad(f"its boot records are damaged: {error.summary}"))
    else:
        findings += _describe_boot(boot, programs, architecture)
    findings += _describe_size(window, volume)
    return tuple(findings)


# --- bounded reading --------------------------------------------------------------------


class _Window:
    """Reads inside the file only; how much in all, the limits above bound."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes

    def get(self, offset: int, length: int) -> bytes:
        if offset + length > self.size_bytes:
            raise _damaged(f"it refers to bytes at {offset}, past the end of the file")
        data = self._read(offset, length)
        if len(data) != length:
            raise _damaged(f"the file ends within the bytes at {offset}")
        return data

    def up_to(self, offset: int, length: int) -> bytes:
        """As many of ``length`` bytes as the file has."""
        return self.get(offset, min(length, max(self.size_bytes - offset, 0)))


# --- ISO 9660 ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Volume:
    volume_id: str
    size_bytes: int
    root: tuple[int, int]
    catalog_offset: int | None


def _read_volume(window: _Window) -> _Volume:
    """The primary volume descriptor (ECMA-119 8.4) and the El Torito boot record."""
    primary: bytes | None = None
    catalog: int | None = None
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MAX_DESCRIPTORS):
        sector = window.get(number * _SECTOR, _SECTOR)
        if sector[1:6] != b"CD001":
            raise _damaged("it has no volume descriptor where one belongs")
        kind = sector[0]
        if kind == 255:
            break
        if kind == 1 and primary is None:
            primary = sector
        elif kind == 0 and sector[7:39].rstrip(b"\0") == b"EL TORITO SPECIFICATION":
            catalog = _u32(sector, 0x47) * _SECTOR
    else:
        raise _damaged("its volume descriptors have no end")
    if primary is None:
        raise _damaged("it has no primary volume descriptor")
    blocks, blocks_big_endian = _u32(primary, 80), int.from_bytes(primary[84:88], "big")
    if blocks != blocks_big_endian:
        raise _damaged("its size is written in two ways that disagree")
    if _u16(primary, 128) != _SECTOR:
        raise _damaged("its blocks are not 2048 bytes")
    return _Volume(
        volume_id=primary[40:72].rstrip(b" \0").decode("ascii", "surrogateescape"),
        size_bytes=blocks * _SECTOR,
        root=(_u32(primary, 156 + 2) * _SECTOR, _u32(primary, 156 + 10)),
        catalog_offset=catalog,
    )


def _describe_volume(volume: _Volume) -> Finding:
    if not volume.volume_id:
        return _odd("the volume ID is empty")
    return _note(f"ISO 9660 image, volume ID '{safe_text(volume.volume_id)}'")


def _directory(window: _Window, extent: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Names in one directory with offset and length of each (ECMA-119 9.1)."""
    offset, length = extent
    data = window.up_to(offset, min(length, _MAX_DIRECTORY_BYTES))
    found: dict[str, tuple[int, int]] = {}
    position = 0
    while position < len(data):
        record_length = data[position]
        if record_length == 0:  # records do not cross sectors; the rest of this one is empty
            position = (position // _SECTOR + 1) * _SECTOR
            continue
        record = data[position : position + record_length]
        if len(record) < 34 or len(record) < 33 + record[32]:
            raise _damaged("a directory record is cut off")
        name = record[33 : 33 + record[32]].decode("ascii", "replace").upper()
        found[name.partition(";")[0].rstrip(".")] = (_u32(record, 2) * _SECTOR, _u32(record, 10))
        position += record_length
    return found


# --- El Torito --------------------------------------------------------------------------


@dataclass(frozen=True)
class _BootEntry:
    platform: int
    offset: int
    size_bytes: int


def _read_boot_entries(window: _Window, volume: _Volume) -> tuple[_BootEntry, ...]:
    """The bootable entries of the boot catalog (El Torito 2.1 to 2.5)."""
    if volume.catalog_offset is None:
        return ()
    catalog = window.get(volume.catalog_offset, _MAX_CATALOG_ENTRIES * 32)
    validation = catalog[:32]
    if validation[0] != 1 or validation[30:] != b"\x55\xaa":
        raise _damaged("the boot catalog has no validation entry")
    if sum(struct.unpack("<16H", validation)) & 0xFFFF:
        raise _damaged("the checksum of the boot catalog is wrong")
    entries = []
    for platform, entry in _catalog_entries(catalog):
        if entry[0] != 0x88:  # not bootable
            continue
        boot = _BootEntry(platform, _u32(entry, 8) * _SECTOR, _u16(entry, 6) * _BLOCK)
        if boot.offset + _BLOCK > window.size_bytes:
            raise _damaged("a boot program lies past the end of the file")
        entries.append(boot)
    return tuple(entries)


def _catalog_entries(catalog: bytes) -> Iterator[tuple[int, bytes]]:
    """Each entry of the catalog with its platform: the initial one, then the sections."""
    records = [catalog[i : i + 32] for i in range(0, len(catalog), 32)]
    yield catalog[1], records[1]
    position, is_last = 2, False
    while not is_last and position < len(records) and records[position][0] in (0x90, 0x91):
        header = records[position]
        is_last = header[0] == 0x91
        position += 1
        count = _u16(header, 2)
        while count and position < len(records):
            if records[position][0] != 0x44:  # an extension belongs to the entry before it
                yield header[1], records[position]
                count -= 1
            position += 1
        if count:
            raise _damaged("the boot catalog claims more entries than it has")


def _efi_architectures(
    window: _Window, volume: _Volume, boot: tuple[_BootEntry, ...]
) -> frozenset[str]:
    """Architectures of the EFI programs in the ISO tree and in the EFI boot images."""
    root = _directory(window, volume.root)
    names: set[str] = set()
    if "EFI" in root:
        efi = _directory(window, root["EFI"])
        if "BOOT" in efi:
            names |= _directory(window, efi["BOOT"]).keys()
    for entry in [entry for entry in boot if entry.platform == _EFI][:2]:
        names |= _fat_names(window.up_to(entry.offset, _MAX_FAT_SCAN_BYTES))
    return frozenset(_EFI_PROGRAMS[name] for name in names & _EFI_PROGRAMS.keys())


def _fat_names(data: bytes) -> set[str]:
    """Boot file names among FAT directory entries, which stand at multiples of 32 bytes.

    The folder is near the start of a boot image. A name in a file's content could
    deceive this scan: so it finds architectures and proves nothing.
    """
    found = set()
    for name in _EFI_PROGRAMS:
        stem, _, extension = name.partition(".")
        short = f"{stem:<8}{extension:<3}".encode("ascii")
        position = data.find(short) if len(short) == 11 else -1
        while position >= 0 and position % 32:
            position = data.find(short, position + 1)
        if position >= 0:
            found.add(name)
    return found


def _describe_boot(
    boot: tuple[_BootEntry, ...], programs: frozenset[str], architecture: str
) -> Iterator[Finding]:
    has_bios = any(entry.platform == _BIOS for entry in boot)
    has_efi = any(entry.platform == _EFI for entry in boot)
    kinds = [kind for kind, has in (("EFI", has_efi), ("BIOS", has_bios)) if has]
    if not kinds:
        yield _odd("no boot entry: no machine will start from this image")
    else:
        yield _note(f"boot entries: {' and '.join(kinds)}")
    if kinds and not has_efi:
        yield _odd("no EFI boot entry: machines without a legacy BIOS will not start from it")
    if kinds and not has_bios and architecture in _X86:
        yield _odd("no BIOS boot entry: older PCs will not start from it")
    if programs:
        shown = " and ".join(sorted(programs))
        if architecture in programs:
            yield _note(f"EFI programs for {shown}, as the file name says")
        else:
            yield _odd(f"WRONG ARCHITECTURE? The name says {architecture}, EFI is for {shown}")
    elif has_bios and architecture not in _X86:
        yield _odd(f"WRONG ARCHITECTURE? The name says {architecture}, the BIOS boot is for x86")
    elif has_efi:
        yield _odd("the architecture of its EFI program could not be told")


# --- size -------------------------------------------------------------------------------


def _describe_size(window: _Window, volume: _Volume) -> Iterator[Finding]:
    """Real size against every size that the image declares.

    A hybrid image holds more than its ISO 9660 volume: a partition behind it, or padding
    to a whole cylinder. So the declared end is the furthest one.
    """
    try:
        declared = max(volume.size_bytes, _partitions_end(window))
        if window.size_bytes < declared:
            missing = declared - window.size_bytes
            yield _bad(f"TRUNCATED: {missing} of {declared} declared bytes are missing")
            return
        extra = window.size_bytes - declared
        if extra > _MAX_TAIL_BYTES:
            yield _bad(f"DATA APPENDED: {extra} bytes follow the declared end at {declared}")
        elif extra == 0:
            yield _note(f"declared size {declared} bytes, nothing missing, nothing appended")
        elif any(window.get(declared, extra)):
            yield _bad(f"DATA APPENDED: {extra} bytes follow the declared end at {declared}")
        else:
            yield _odd(f"{extra} zero bytes (padding) follow the declared end at {declared}")
    except FormatError as error:
        yield _bad(f"its size could not be checked: {error.summary}")


def _partitions_end(window: _Window) -> int:
    """Where the MBR's last partition or the backup GPT ends; 0 without either, in bytes."""
    mbr = window.get(0, _BLOCK)
    ends = [0]
    if mbr[510:] == b"\x55\xaa":
        for position in range(446, 510, 16):
            kind, start, count = mbr[position + 4], *struct.unpack_from("<II", mbr, position + 8)
            # A protective entry (UEFI 5.2.3) may claim the largest size there is.
            if count and not (kind == 0xEE and count == 0xFFFFFFFF):
                ends.append((start + count) * _BLOCK)
    gpt = window.get(_BLOCK, 92)
    if gpt.startswith(b"EFI PART"):
        ends.append((struct.unpack_from("<Q", gpt, 32)[0] + 1) * _BLOCK)
    return max(ends)


# --- details ----------------------------------------------------------------------------


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _damaged(why: str) -> FormatError:
    return FormatError("IMP-5/iso", why, "Download the image again and compare its digest.")


def _note(text: str) -> Finding:
    return Finding(level=FindingLevel.NOTE, text=text)


def _odd(text: str) -> Finding:
    return Finding(level=FindingLevel.ODD, text=text)


def _bad(text: str) -> Finding:
    return Finding(level=FindingLevel.BAD, text=text)
