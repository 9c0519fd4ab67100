"""Example files on paper, and the pages as others see them: drawn by poppler, read by zxing-cpp."""

import base64
import random
import re
import subprocess
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import zxingcpp

from pai_signer.adapters.paper_printer import PdfPrinter
from pai_signer.domain.paper import PaperFile, cut_files
from pai_signer.domain.paper_pages import PaperFacts, render_sheets, scan_name
from pai_signer.domain.progress import Progress

FACTS: Final = PaperFacts(
    project="PAI",
    rehearsal=False,
    custodian="Ada Adams",
    number=42,
    made_at=datetime(2026, 1, 2, tzinfo=UTC),
    keys=(
        ("minisign", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"),
        ("openpgp", "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"),
    ),
)


def armored(size_bytes: int, seed: int = 1) -> bytes:
    """What looks like a secret key export of this size before armoring."""
    body = base64.b64encode(random.Random(seed).randbytes(size_bytes)).decode()
    kind = "PGP PRIVATE KEY BLOCK"
    rows = "\n".join(textwrap.wrap(body, 64))
    return f"-----BEGIN {kind}-----\n\n{rows}\n=abcd\n-----END {kind}-----\n".encode()


def minisign_key(seed: int = 2) -> bytes:
    blob = base64.b64encode(random.Random(seed).randbytes(158))
    return b"untrusted comment: minisign encrypted secret key\n" + blob + b"\n"


FILES: Final = {
    "minisign.key": minisign_key(),
    "gpg-secret.asc": armored(800),
    "revocations.gpg": random.Random(3).randbytes(900),
}


def example() -> tuple[tuple[PaperFile, ...], bytes]:
    """The files cut, and their PDF."""
    files = cut_files(FILES)
    return files, PdfPrinter().render("Backup on paper", render_sheets(FACTS, files), Progress())


def draw(pdf: bytes, folder: Path, dpi: int) -> list[Path]:
    """Every page as poppler draws it, in order, as grey portable pixmaps."""
    (folder / "paper.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(dpi), "-gray", "paper.pdf", "page"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return sorted(folder.glob("page-*.pgm"))


def scans(files: tuple[PaperFile, ...], pdf: bytes, folder: Path, dpi: int) -> None:
    """Every page as a picture under the name that it gives."""
    (folder / "paper.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(dpi), "-gray", "-png", "paper.pdf", "scan"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    names = [scan_name(file, index) for file in files for index in range(len(file.parts))]
    for scan, name in zip(sorted(folder.glob("scan-*.png")), names, strict=True):
        scan.rename(folder / name)


def pixels(picture: bytes) -> tuple[int, int, bytearray]:
    """Width, height and grey bytes of a binary portable graymap (pgm(5))."""
    header = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", picture)
    assert header
    width, height = int(header[1]), int(header[2])
    assert len(picture) == header.end() + width * height
    return width, height, bytearray(picture[header.end() :])


def codes(picture: bytes) -> list[str]:
    """What zxing-cpp finds in a picture, with its own default settings."""
    width, height, grey = pixels(picture)
    found = zxingcpp.read_barcodes(memoryview(grey).cast("B", (height, width)))
    return [barcode.bytes.decode("ascii") for barcode in found]


def text_of(pdf: bytes, folder: Path) -> list[str]:
    """The text of each page as poppler reads it."""
    (folder / "paper.pdf").write_bytes(pdf)
    command = ["pdftotext", "-layout", "paper.pdf", "-"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.removesuffix("\f").split("\f")


def shell(command: str, folder: Path) -> str:
    """What a command prints, run as a person would; it must not fail."""
    done = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
