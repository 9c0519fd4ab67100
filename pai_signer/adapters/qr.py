"""QR codes: segno draws them, zxing-cpp reads them, and the two share no code (CUS-1).

Both are imported when the first code is drawn: most commands draw none.
"""

from typing import Final

from pai_signer.errors import ToolError

LEVEL: Final = "q"

Modules = tuple[tuple[bool, ...], ...]


def draw_code(text: str) -> Modules:
    """The dark and light modules of ``text``, row by row, without the quiet zone.

    Level Q or, where it costs no larger code, H (ISO/IEC 18004); always in byte mode.
    """
    import segno  # noqa: PLC0415 - see above

    code = segno.make_qr(text.encode("ascii"), error=LEVEL, mode="byte")
    return tuple(tuple(bool(module) for module in row) for row in code.matrix)


def read_codes(pixels: bytearray, width: int) -> tuple[bytes, ...]:
    """What every QR code in an image holds; ``pixels`` are grey, one byte each, in rows."""
    import zxingcpp  # noqa: PLC0415 - see above

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
            "Make the pages anew; if it fails again, keep the backup on media only.",
        ) from error
    return tuple(barcode.bytes for barcode in found)
