"""Image inspection on real images, whole, cut, extended and damaged (IMP-5)."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from pai_signer.domain.artifact import Finding, FindingLevel
from pai_signer.domain.iso import inspect_iso

GRUB = Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso")
IPXE = Path("/usr/lib/ipxe/ipxe.iso")
MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
MEMTEST_END = MEMTEST.stat().st_size - 307_200  # its EFI partition's; padding follows

PVD = 16 * 2048


def inspect(image: bytes, architecture: str = "amd64") -> tuple[Finding, ...]:
    return inspect_iso(lambda at, count: image[at : at + count], len(image), architecture)


def texts(found: tuple[Finding, ...], level: FindingLevel) -> str:
    assert all(finding.text.isprintable() for finding in found)
    return " | ".join(finding.text for finding in found if finding.level is level)


def bad(image: bytes, architecture: str = "amd64") -> str:
    return texts(inspect(image, architecture), FindingLevel.BAD)


def odd(image: bytes, architecture: str = "amd64") -> str:
    return texts(inspect(image, architecture), FindingLevel.ODD)


def patched(image: bytes, at: int, data: bytes) -> bytes:
    return image[:at] + data + image[at + len(data) :]


def with_architecture(image: bytes, name: bytes) -> bytes:
    """The image with its EFI program renamed, wherever its name stands as a FAT entry."""
    return image.replace(b"BOOTX64 EFI", name)


def ipxe_for_amd64() -> bytes:
    """Debian 12's image as it is; that of Debian 13 without its program for arm64."""
    return IPXE.read_bytes().replace(b"BOOTAA64EFI", b"SOMEBOOTEFI")


@pytest.mark.parametrize("path", [GRUB, IPXE, MEMTEST])
def test_real_images_have_nothing_bad(path: Path) -> None:
    found = inspect(path.read_bytes())
    assert texts(found, FindingLevel.BAD) == ""
    assert "ISO 9660 image, volume ID" in texts(found, FindingLevel.NOTE)


def test_the_volume_id_and_the_boot_entries_are_told() -> None:
    notes = texts(inspect(MEMTEST.read_bytes()), FindingLevel.NOTE)
    assert "volume ID 'MT86PLUS_64'" in notes
    assert "boot entries: EFI and BIOS" in notes
    assert "EFI programs for amd64" in notes


def test_a_hostile_volume_id_is_escaped() -> None:
    image = patched(IPXE.read_bytes(), PVD + 40, b"\x1b[2J[/b]\xff".ljust(32))
    assert r"volume ID '\x1b[2J[/b]\xff'" in texts(inspect(image), FindingLevel.NOTE)


def test_an_empty_volume_id_is_odd() -> None:
    assert "volume ID is empty" in odd(patched(IPXE.read_bytes(), PVD + 40, b" " * 32))


# --- size ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [GRUB, IPXE])
def test_an_exact_image_has_nothing_missing_or_appended(path: Path) -> None:
    notes = texts(inspect(path.read_bytes()), FindingLevel.NOTE)
    assert f"declared size {path.stat().st_size} bytes, nothing missing" in notes


@pytest.mark.parametrize("path", [GRUB, IPXE, MEMTEST])
@pytest.mark.parametrize("missing", [1, 2048, 100_000])
def test_a_truncated_image_is_bad(path: Path, missing: int) -> None:
    end = MEMTEST_END if path == MEMTEST else path.stat().st_size
    assert f"TRUNCATED: {missing} of {end} declared bytes" in bad(
        path.read_bytes()[: end - missing]
    )


def test_a_cut_within_the_padding_is_no_truncation() -> None:
    assert bad(MEMTEST.read_bytes()[: MEMTEST_END + 5]) == ""


@pytest.mark.parametrize("path", [GRUB, IPXE, MEMTEST])
def test_data_appended_is_bad(path: Path) -> None:
    assert "DATA APPENDED" in bad(path.read_bytes() + b"evil")


def test_zeros_appended_are_only_odd() -> None:
    assert bad(GRUB.read_bytes() + bytes(4096)) == ""
    assert "4096 zero bytes (padding)" in odd(GRUB.read_bytes() + bytes(4096))


def test_more_padding_than_anyone_writes_is_bad() -> None:
    assert "DATA APPENDED" in bad(GRUB.read_bytes() + bytes((1 << 20) + 1))


def test_the_backup_gpt_tells_the_end() -> None:
    last_block = (GRUB.stat().st_size + 4096) // 512 - 1
    header = b"EFI PART".ljust(32, b"\0") + struct.pack("<Q", last_block)
    image = patched(GRUB.read_bytes(), 512, header) + b"gpt!" * 1024
    assert bad(image) == ""
    assert "TRUNCATED: 1 of" in bad(image[:-1])


def test_a_protective_partition_of_the_largest_size_declares_nothing() -> None:
    entry = b"\0\0\0\0\xee\0\0\0" + struct.pack("<II", 1, 0xFFFFFFFF)
    assert bad(patched(GRUB.read_bytes(), 446, entry)) == ""


# --- boot ---------------------------------------------------------------------------------


def test_a_missing_efi_entry_is_odd() -> None:
    assert "no EFI boot entry" in odd(GRUB.read_bytes())


def test_no_boot_record_is_odd() -> None:
    assert "no boot entry" in odd(patched(IPXE.read_bytes(), 17 * 2048 + 7, b"EL TORNADO"))


def test_an_entry_that_is_not_bootable_does_not_count() -> None:
    image = IPXE.read_bytes()
    without_bios = patched(image, 33 * 2048 + 32, b"\0")
    assert "no BIOS boot entry" in odd(without_bios)
    assert "no BIOS" not in odd(without_bios, "arm64")


@pytest.mark.parametrize("at", [0, 2, 30])
def test_a_damaged_boot_catalog_is_bad(at: int) -> None:
    assert "boot records are damaged" in bad(patched(IPXE.read_bytes(), 33 * 2048 + at, b"\7"))


def test_a_boot_catalog_outside_the_file_is_bad() -> None:
    image = patched(IPXE.read_bytes(), 17 * 2048 + 0x47, b"\xff\xff\xff\x7f")
    assert "past the end of the file" in bad(image)


def test_a_boot_program_outside_the_file_is_bad() -> None:
    image = patched(IPXE.read_bytes(), 33 * 2048 + 40, b"\xff\xff\xff\x7f")
    assert "a boot program lies past the end" in bad(image)


def test_a_catalog_that_claims_more_entries_than_fit_is_bad() -> None:
    image = patched(IPXE.read_bytes(), 33 * 2048 + 66, b"\xff\xff")
    assert "more entries than it has" in bad(image)


# --- architecture -------------------------------------------------------------------------


def test_another_architecture_than_the_name_says_is_odd_and_loud() -> None:
    assert "WRONG ARCHITECTURE? The name says arm64, EFI is for amd64" in odd(
        ipxe_for_amd64(), "arm64"
    )
    assert "WRONG ARCHITECTURE? The name says arm64, the BIOS boot is for x86" in odd(
        GRUB.read_bytes(), "arm64"
    )
    assert bad(ipxe_for_amd64(), "arm64") == ""


def test_an_arm64_image_is_told_from_an_amd64_one() -> None:
    image = with_architecture(ipxe_for_amd64(), b"BOOTAA64EFI")
    assert "WRONG ARCHITECTURE" not in odd(image, "arm64")
    assert "WRONG ARCHITECTURE? The name says amd64, EFI is for arm64" in odd(image, "amd64")


def test_an_efi_program_with_an_unknown_name_is_odd() -> None:
    assert "could not be told" in odd(with_architecture(ipxe_for_amd64(), b"SOMEBOOTEFI"))


def test_a_name_that_is_no_directory_entry_does_not_count() -> None:
    image = with_architecture(ipxe_for_amd64(), b"SOMEBOOTEFI")
    at = ipxe_for_amd64().index(b"BOOTX64 EFI") + 32 + 1  # entries stand at multiples of 32
    assert "could not be told" in odd(patched(image, at, b"BOOTX64 EFI"))


@pytest.mark.skipif(shutil.which("xorriso") is None, reason="xorriso makes the image")
def test_the_architecture_is_found_in_the_iso_tree_too(tmp_path: Path) -> None:
    # A tree as xorriso writes it, with no El Torito record at all.
    boot = tmp_path / "tree/EFI/BOOT"
    boot.mkdir(parents=True)
    (boot / "BOOTAA64.EFI").write_bytes(b"MZ")
    image = tmp_path / "tree.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(image), str(tmp_path / "tree")],
        check=True,
    )
    found = inspect(image.read_bytes(), "arm64")
    assert "EFI programs for arm64" in texts(found, FindingLevel.NOTE)
    assert texts(found, FindingLevel.BAD) == ""


# --- no image -----------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"hello", bytes(1 << 20), GRUB.read_bytes()[:33000]])
def test_what_is_no_iso_is_bad(data: bytes) -> None:
    found = inspect(data)
    assert len(found) == 1
    assert found[0].level is FindingLevel.BAD
    assert found[0].text.startswith("not an ISO 9660 image")


@pytest.mark.parametrize(
    ("at", "data", "why"),
    [
        (PVD + 80, b"\0\0\0\0", "two ways that disagree"),
        (PVD + 128, b"\0\x02", "not 2048 bytes"),
        (PVD, b"\x02", "no primary volume descriptor"),
    ],
)
def test_a_damaged_volume_descriptor_is_bad(at: int, data: bytes, why: str) -> None:
    assert why in bad(patched(IPXE.read_bytes(), at, data))


def test_endless_descriptors_end() -> None:
    sector = b"\2CD001\1".ljust(2048, b"\0")
    assert "have no end" in bad(bytes(PVD) + sector * 100)


def test_no_more_than_3_mib_are_read_and_each_read_is_small() -> None:
    image = MEMTEST.read_bytes() + bytes((1 << 20) - 307_200)
    reads: list[int] = []

    def read(at: int, count: int) -> bytes:
        reads.append(count)
        return image[at : at + count]

    inspect_iso(read, len(image), "amd64")
    assert sum(reads) <= 3 << 20
    assert max(reads) <= 1 << 20
    assert len(reads) < 100
