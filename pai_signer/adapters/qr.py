"""QR codes: segno draws them, zxing-cpp reads them, and the two share no code (CUS-1, EXP-4).

Both are imported when the first code is drawn: most commands draw none.
"""

from typing import Any, Final

from pai_signer.domain.page import Modules
from pai_signer.domain.qr_parts import CODE_VERSION
from pai_signer.errors import ToolError

LEVEL: Final = "q"
#: Light around a code, in modules (ISO/IEC 18004:2015, 6.3.8), and pixels of a module reread.
_QUIET: Final = 4
_SCALE: Final = 3


def draw_code(text: str) -> Modules:
    """The dark and light modules of ``text``, row by row, without the quiet zone.

    Level Q or, where it costs no larger code, H (ISO/IEC 18004); always in byte mode.
    """
    return _modules(text.encode("ascii"), error=LEVEL, mode="byte")


def _modules(content: str | bytes, **options: Any) -> Modules:
    """What segno draws, by its ``options``."""
    import segno  # noqa: PLC0415 - most commands draw no code, and each would load it

    code = segno.make_qr(content, **options)
    return tuple(tuple(bool(module) for module in row) for row in code.matrix)


def read_codes(pixels: bytearray, width: int) -> tuple[bytes, ...]:
    """What every QR code in an image holds; ``pixels`` are grey, one byte each, in rows."""
    import zxingcpp  # noqa: PLC0415 - most commands read no code, and each would load it

    height, rest = divmod(len(pixels), width)
    if rest:
        raise ValueError("the image has an unfinished row")
    image = memoryview(pixels).cast("B", (height, width))
    try:
        only_these = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        found = zxingcpp.read_barcodes(image, formats=only_these)
    except RuntimeError as error:
        raise ToolError(
            "CUS-1/qr",
            "The reader of QR codes failed.",
            "Try again; if it fails again, keep to media.",
        ) from error
    return tuple(barcode.bytes for barcode in found)


class ScreenCodes:
    """Implements ``ports.CodeDrawer``: no code is shown that was not read again (EXP-4)."""

    def draw(self, payload: str) -> Modules:
        """A code of the one size that screens are laid out for; ``ToolError`` if it misreads.

        Alphanumeric; level L, or higher where it fits as well: a screen loses nothing of it.
        """
        modules = _modules(payload, version=CODE_VERSION, error="l", mode="alphanumeric")
        width, pixels = _raster(modules)
        if read_codes(pixels, width) != (payload.encode("ascii"),):
            raise ToolError(
                "EXP-4/reread",
                "A QR code does not read as what it was made from.",
                "Do not scan it. Export to a medium, and report a bug.",
                unchanged="Nothing was shown.",
            )
        return modules


def _raster(modules: Modules) -> tuple[int, bytearray]:
    """The picture of a code with its quiet zone: width, and grey pixels in rows."""
    side = (len(modules) + 2 * _QUIET) * _SCALE
    empty = b"\xff" * side
    pixels = bytearray(empty * (_QUIET * _SCALE))
    for row in modules:
        edge = b"\xff" * (_QUIET * _SCALE)
        line = b"".join((b"\0" if dark else b"\xff") * _SCALE for dark in row)
        pixels += (edge + line + edge) * _SCALE
    pixels += empty * (_QUIET * _SCALE)
    return side, pixels
