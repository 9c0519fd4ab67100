"""Makes the PDF of a backup on paper, and reads every page of it again (CUS-1)."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from pai_signer.adapters.qr import draw_code, read_codes
from pai_signer.domain.paper import join_rows
from pai_signer.domain.paper_pages import (
    CODE_TOP,
    LEFT,
    MODULE,
    QUIET_MODULES,
    Sheet,
    rows_on,
)
from pai_signer.domain.pdf import A4_HEIGHT, A4_WIDTH, INCH, Box, PdfPage, read_pdf, render_pdf
from pai_signer.domain.progress import Progress
from pai_signer.errors import ToolError

#: Half of what a usual scan has: what is read here has room to become worse.
REREAD_DPI: Final = 150

_LIGHT: Final = b"\xff"
_DARK: Final = b"\0"


class PdfPrinter:
    """Implements ``ports.PaperPrinter``."""

    def render(self, title: str, sheets: Sequence[Sheet], progress: Progress) -> bytes:
        """The PDF; ``ToolError`` unless code and rows of each page read as what they are of."""
        pages = [
            PdfPage(sheet.texts, tuple(_boxes(draw_code(sheet.part.text)))) for sheet in sheets
        ]
        pdf = render_pdf(title, pages)
        progress.begin("pages, read again", sum(len(sheet.part.text) for sheet in sheets))
        for number, (sheet, page) in enumerate(zip(sheets, read_pdf(pdf), strict=True), start=1):
            progress.check()
            _check(sheet, page, number)
            progress.add(len(sheet.part.text))
        return pdf


def _check(sheet: Sheet, page: PdfPage, number: int) -> None:
    """Compare what a reader makes of the page, as it stands in the file, with what it is of."""
    width, pixels = _raster(page.boxes)
    codes = read_codes(pixels, width)
    typed = join_rows(row.text for row in rows_on(page))
    for what, found in (("QR code", codes), ("text", (typed.encode("ascii"),))):
        if found != (sheet.part.text.encode("ascii"),):
            raise ToolError(
                "CUS-1/paper-reread",
                f"The {what} on page {number} does not read as what it was made from.",
                "Do not print it. Make the pages anew; if it fails again, report a bug.",
                unchanged="Nothing was written.",
            )


def _boxes(modules: Sequence[Sequence[bool]]) -> Iterator[Box]:
    """One box for each run of dark modules, below the quiet zone."""
    top = CODE_TOP - QUIET_MODULES * MODULE
    for y, row in enumerate(modules):
        x = LEFT + QUIET_MODULES * MODULE
        for dark, run in groupby(row):
            width = len(list(run)) * MODULE
            if dark:
                yield Box(x, top - (y + 1) * MODULE, width, MODULE)
            x += width


def _raster(boxes: Sequence[Box]) -> tuple[int, bytearray]:
    """The boxes of a page as a printer would place them: width, and grey pixels in rows."""
    width, height = _pixels(A4_WIDTH), _pixels(A4_HEIGHT)
    pixels = bytearray(_LIGHT * (width * height))
    for box in boxes:
        left, right = _pixels(box.x), _pixels(box.x + box.width)
        for y in range(height - _pixels(box.y + box.height), height - _pixels(box.y)):
            pixels[y * width + left : y * width + right] = _DARK * (right - left)
    return width, pixels


def _pixels(length: int) -> int:
    return round(length * REREAD_DPI / INCH)
