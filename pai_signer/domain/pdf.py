"""A small strict PDF: Courier and black rectangles, the same bytes for the same pages (CUS-1).

Source: ISO 32000-1:2008, PDF 1.4 subset: file structure 7.5, strings 7.3.4.2, page
objects 7.7.3, path painting 8.5.3, text 9.4, the standard fonts 9.6.2.2. Nothing is
compressed, so the whole file is ASCII text. Lengths are whole hundredths of a point (1/7200
inch) and the origin is the lower left corner: no rounding can differ between two machines.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.errors import FormatError

#: Hundredths of a point.
POINT: Final = 100
INCH: Final = 72 * POINT
#: ISO 216 A4, 210 mm x 297 mm.
A4_WIDTH: Final = 595_28
A4_HEIGHT: Final = 841_89

#: The advance of every Courier glyph, in thousandths of the font size.
COURIER_ADVANCE: Final = 600

#: More than any page of ours; keeps ``read_pdf`` from what it was not made for.
MAX_PDF_BYTES: Final = 16 << 20

_FONTS: Final = ("Courier", "Courier-Bold")
_FIRST_PAGE_OBJECT: Final = 6


@dataclass(frozen=True)
class Text:
    """One line of printable ASCII; ``x`` and ``y`` are where its baseline begins."""

    x: int
    y: int
    size_points: int
    text: str
    bold: bool = False

    @property
    def width(self) -> int:
        """How far it reaches to the right, in hundredths of a point."""
        return len(self.text) * self.size_points * POINT * COURIER_ADVANCE // 1000


@dataclass(frozen=True)
class Box:
    """A black rectangle; ``x`` and ``y`` are its lower left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class PdfPage:
    """What stands on one A4 page."""

    texts: tuple[Text, ...] = ()
    boxes: tuple[Box, ...] = ()


def render_pdf(title: str, pages: Sequence[PdfPage]) -> bytes:
    """The whole file. ``ValueError`` for text that is not printable ASCII, or no page."""
    if not pages:
        raise ValueError("a PDF has at least one page")
    numbers = [_FIRST_PAGE_OBJECT + 2 * i for i in range(len(pages))]
    kids = " ".join(f"{n} 0 R" for n in numbers)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        *(
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
            for font in _FONTS
        ),
        f"<< /Title {_string(title)} >>",
    ]
    for number, page in zip(numbers, pages, strict=True):
        stream = "".join(f"{line}\n" for line in _operators(page))
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_length(A4_WIDTH)} "
            f"{_length(A4_HEIGHT)}] /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> "
            f"/Contents {number + 1} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}endstream",
        ]
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    # 7.5.4: every entry is exactly 20 bytes long, which is why two of them end the line.
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
    tail += f"<< /Size {size} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return (out + tail).encode("ascii")


def read_pdf(data: bytes) -> tuple[PdfPage, ...]:
    """The pages of what ``render_pdf`` wrote, from its bytes; ``FormatError`` for any other.

    What it returns renders to ``data`` again, byte for byte: nothing can stand in the file
    that is not in the answer.
    """
    try:
        return _pages(data)
    except ValueError as error:
        raise FormatError(
            "CUS-1/pdf",
            f"This is not a PDF as this program writes it: {error}.",
            "Make the pages anew.",
        ) from error


def _pages(data: bytes) -> tuple[PdfPage, ...]:
    if len(data) > MAX_PDF_BYTES:
        raise ValueError("it is too large")
    text = data.decode("ascii")
    title = re.search(r"^<< /Title (\(.*\)) >>$", text, re.MULTILINE)
    if title is None:
        raise ValueError("it has no title")
    streams = re.findall(r"^stream\n(.*?)^endstream$", text, re.MULTILINE | re.DOTALL)
    pages = tuple(_page(stream) for stream in streams)
    if render_pdf(_plain(title[1]), pages) != data:
        raise ValueError("it holds more, or other things, than its pages")
    return pages


def _operators(page: PdfPage) -> Iterator[str]:
    """The content stream: 9.4 for text, 8.5.2.1 and 8.5.3 for filled rectangles."""
    for text in page.texts:
        font = "F2" if text.bold else "F1"
        place = f"1 0 0 1 {_length(text.x)} {_length(text.y)} Tm"
        yield f"BT /{font} {text.size_points} Tf {place} {_string(text.text)} Tj ET"
    for box in page.boxes:
        corner = f"{_length(box.x)} {_length(box.y)}"
        yield f"{corner} {_length(box.width)} {_length(box.height)} re f"


_NUMBER: Final = r"(\d+\.\d\d)"
_TEXT: Final = re.compile(rf"BT /F([12]) (\d+) Tf 1 0 0 1 {_NUMBER} {_NUMBER} Tm (\(.*\)) Tj ET")
_BOX: Final = re.compile(rf"{_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER} re f")


def _page(stream: str) -> PdfPage:
    texts, boxes = [], []
    for line in stream.splitlines():
        if text := _TEXT.fullmatch(line):
            font, size, x, y, string = text.groups()
            texts.append(
                Text(_hundredths(x), _hundredths(y), int(size), _plain(string), bold=font == "2")
            )
        elif box := _BOX.fullmatch(line):
            boxes.append(Box(*(_hundredths(value) for value in box.groups())))
        else:
            raise ValueError("a line of a page is unknown")
    return PdfPage(tuple(texts), tuple(boxes))


def _length(hundredths: int) -> str:
    if hundredths < 0:
        raise ValueError("a length is negative")
    return f"{hundredths // POINT}.{hundredths % POINT:02}"


def _hundredths(number: str) -> int:
    return int(number.replace(".", ""))


def _string(text: str) -> str:
    """A literal string: parentheses and backslashes are escaped (7.3.4.2)."""
    if not text.isascii() or not (text.isprintable() or not text):
        raise ValueError(f"{text!r} is not printable ASCII")
    escaped = re.sub(r"([()\\])", r"\\\1", text)
    return f"({escaped})"


def _plain(string: str) -> str:
    return re.sub(r"\\([()\\])", r"\1", string[1:-1])
