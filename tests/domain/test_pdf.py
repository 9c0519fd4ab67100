"""The writer of PDF files, judged by poppler (CUS-1)."""

import subprocess
from pathlib import Path

import pytest

from pai_signer.domain.pdf import MAX_PDF_BYTES, Box, PdfPage, Text, read_pdf, render_pdf
from pai_signer.errors import FormatError
from tests.paper import draw, pixels, text_of

PAGES = (
    PdfPage(
        (Text(50_00, 700_00, 10, r"a (b) \ c"), Text(50_00, 600_00, 12, "bold", bold=True)),
        (Box(100_00, 200_00, 30_00, 40_00),),
    ),
    PdfPage((Text(50_00, 700_00, 9, "second"),)),
)


def test_the_same_pages_are_the_same_bytes_and_read_as_themselves() -> None:
    pdf = render_pdf("A (title)", PAGES)
    assert pdf == render_pdf("A (title)", PAGES)
    assert read_pdf(pdf) == PAGES


def test_poppler_reads_what_stands_there(tmp_path: Path) -> None:
    pdf = render_pdf("A (title)", PAGES)
    first, second = text_of(pdf, tmp_path)
    assert r"a (b) \ c" in first
    assert second.strip() == "second"
    done = subprocess.run(
        ["pdfinfo", "paper.pdf"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    facts = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert facts["Title"].strip() == "A (title)"
    assert facts["Page size"].strip() == "595.28 x 841.89 pts (A4)"
    assert facts["PDF version"].strip() == "1.4"


def test_poppler_draws_a_box_where_it_was_put(tmp_path: Path) -> None:
    pages = draw(render_pdf("t", [PdfPage((), PAGES[0].boxes)]), tmp_path, 72)
    width, height, grey = pixels(pages[0].read_bytes())
    dark = {(i % width, height - 1 - i // width) for i, value in enumerate(grey) if value < 128}
    # One point is one pixel; the page's height is a little less than a whole number of them.
    assert {x for x, _ in dark} == set(range(100, 130))
    assert abs(min(y for _, y in dark) - 200) <= 1
    assert len(dark) == 30 * 40


@pytest.mark.parametrize("text", ["tab\t", "line\n", "Zoë", "\x1b[2J", "(\x00)"])
def test_what_is_not_printable_ascii_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        render_pdf("t", [PdfPage((Text(0, 0, 10, text),))])
    with pytest.raises(ValueError, match="printable"):
        render_pdf(text, [PdfPage()])


def test_no_page_and_no_negative_length() -> None:
    with pytest.raises(ValueError, match="one page"):
        render_pdf("t", [])
    with pytest.raises(ValueError, match="negative"):
        render_pdf("t", [PdfPage((), (Box(-1, 0, 1, 1),))])


def spoilt() -> dict[str, bytes]:
    pdf = render_pdf("t", PAGES)
    return {
        "empty": b"",
        "no PDF": b"hello",
        "cut": pdf[:-1],
        "longer": pdf + b"\n",
        "an operator more": pdf.replace(b"BT", b"1 0 0 RG\nBT", 1),
        "another text": pdf.replace(b"(second)", b"(third!)"),
        "another number form": pdf.replace(b"100.00", b"0100.0"),
        "an action": pdf.replace(b"/Type /Catalog", b"/OpenAction 5 0 R /Type /Catalog"),
        "not ASCII": pdf.replace(b"second", b"s\xffcond"),
        "large": b" " * (MAX_PDF_BYTES + 1),
    }


@pytest.mark.parametrize("how", sorted(set(spoilt()) - {"another text"}))
def test_what_was_not_written_here_is_not_read(how: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_pdf(spoilt()[how])
    assert refused.value.code == "CUS-1/pdf"


def test_another_text_is_read_as_what_it_is() -> None:
    assert read_pdf(spoilt()["another text"])[1].texts[0].text == "third!"


def test_every_changed_byte_is_noticed_or_changes_the_pages() -> None:
    pdf = render_pdf("t", PAGES)
    for offset in range(len(pdf)):
        changed = bytearray(pdf)
        changed[offset] ^= 1
        try:
            pages = read_pdf(bytes(changed))
        except FormatError:
            continue
        title_changed = render_pdf("t", pages) != bytes(changed)
        assert pages != PAGES or title_changed
