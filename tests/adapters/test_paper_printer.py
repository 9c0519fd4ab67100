"""Pages as a stranger's tools see them: poppler draws, zxing-cpp and zbar read (CUS-1)."""

import random
import re
import subprocess
from pathlib import Path

import pytest

from pai_signer.adapters import paper_printer, qr
from pai_signer.adapters.paper_printer import PdfPrinter
from pai_signer.domain.page import Modules
from pai_signer.domain.paper import PaperFile, cut_files, join_parts
from pai_signer.domain.paper_pages import (
    CHECK_COMMAND,
    render_sheets,
    typing_command,
)
from pai_signer.domain.pdf import PdfPage, render_pdf
from pai_signer.domain.progress import Progress
from pai_signer.errors import Cancelled, ToolError
from tests.paper import FACTS, FILES, armored, codes, draw, example, pixels, scans, shell, text_of

Made = tuple[tuple[PaperFile, ...], bytes]


@pytest.fixture(scope="module")
def made() -> Made:
    return example()


def payloads(files: tuple[PaperFile, ...]) -> list[str]:
    return [part.text for file in files for part in file.parts]


def printed_commands(page: str) -> list[str]:
    """The commands of a page, from the text that poppler reads: its indented lines."""
    return [line.strip() for line in page.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("dpi", [100, 150, 300])
def test_every_page_holds_one_code_with_its_part(made: Made, dpi: int, tmp_path: Path) -> None:
    files, pdf = made
    pages = draw(pdf, tmp_path, dpi)
    assert [codes(page.read_bytes()) for page in pages] == [[text] for text in payloads(files)]


def test_the_commands_on_the_first_page_restore_every_file(made: Made, tmp_path: Path) -> None:
    """Literally the printed ones, over scans named as the pages say."""
    files, pdf = made
    scans(files, pdf, tmp_path, 150)
    commands = [
        command
        for command in printed_commands(text_of(pdf, tmp_path)[0])
        if re.match(r"zbarimg .* > |sha256sum -c", command)
    ]
    assert len(commands) == len(FILES) + 2
    for command in commands:
        shown = shell(command, tmp_path)
    assert shown == "".join(f"{name}: OK\n" for name in FILES)
    for name, data in FILES.items():
        assert (tmp_path / name).read_bytes() == data


def test_the_test_that_a_page_proposes_prints_what_the_page_says(
    made: Made, tmp_path: Path
) -> None:
    files, pdf = made
    scans(files, pdf, tmp_path, 150)
    sheets = render_sheets(FACTS, files)
    for sheet, page in zip(sheets, text_of(pdf, tmp_path), strict=True):
        column = "\n".join(text.text for text in sheet.texts)
        command = re.search(
            r"^  (zbarimg(?:.|\\\n)*?\| (?:\\\n  )?sha256sum)$", column, re.MULTILINE
        )
        assert command
        printed = shell(command[1], tmp_path).split()[0]
        groups = re.findall(r"\b[0-9a-f]{8}\b", page)
        assert "".join(groups[:8]) == printed == sheet.part.sha256


def test_rows_typed_from_the_page_restore_every_file(made: Made, tmp_path: Path) -> None:
    """Rows and checks as poppler reads them, commands as printed."""
    files, pdf = made
    pages = iter(text_of(pdf, tmp_path))
    for file in files:
        rows = [
            row
            for _ in file.parts
            for row in re.findall(r"(?m)^ *\d+ +(?:(\S.*?) +)?([0-9a-f]{4})$", next(pages))
        ]
        (tmp_path / "typed.txt").write_text("".join(f"{text}\n" for text, _ in rows))
        assert shell(CHECK_COMMAND, tmp_path).split() == [check for _, check in rows]
        shell(typing_command(file), tmp_path)
        if file.name in FILES:
            assert (tmp_path / file.name).read_bytes() == FILES[file.name]
    assert shell("sha256sum -c PAPER.txt", tmp_path).count(": OK\n") == len(FILES)


def test_an_rsa_export_is_restored_from_its_pages_too(tmp_path: Path) -> None:
    files = cut_files({"gpg-secret.asc": armored(5000)})
    pdf = PdfPrinter().render("t", render_sheets(FACTS, files), Progress())
    read = [codes(page.read_bytes()) for page in draw(pdf, tmp_path, 100)]
    assert all(len(page) == 1 for page in read)
    assert join_parts((page[0] for page in read[1:]), is_base64=False) == armored(5000)


# --- margins: what happens to paper and on scanners -----------------------------------------


def spoil(picture: bytes, *, blur: int, dust: float, stain: float) -> bytes:
    """Turn a page by two degrees, blur it, strew grey dust over it, and stain its code."""
    command = f"pnmrotate -background=white 2 | pnmsmooth -width={blur} -height={blur}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], check=True, input=picture, capture_output=True
    )
    width, height, grey = pixels(done.stdout)
    chance = random.Random(1)
    for index in chance.sample(range(len(grey)), int(dust * len(grey))):
        grey[index] = chance.getrandbits(8)
    side = int(stain**0.5 * width * 96 / 210)  # of a code 96 mm wide on 210 mm of paper
    left, top = width // 5, height // 5
    for y in range(top, top + side):
        grey[y * width + left : y * width + left + side] = b"\x40" * side
    return b"P5\n%d %d\n255\n" % (width, height) + grey


@pytest.mark.parametrize(
    ("dpi", "blur", "dust", "stain"),
    [(150, 3, 0.02, 0.0), (150, 3, 0.0, 0.08), (300, 5, 0.02, 0.0), (300, 5, 0.0, 0.08)],
)
def test_a_bad_scan_still_reads(
    made: Made, dpi: int, blur: int, dust: float, stain: float, tmp_path: Path
) -> None:
    files, pdf = made
    page, text = draw(pdf, tmp_path, dpi)[2], payloads(files)[2]
    assert len(text) > 400, "one of the large codes"
    spoilt = spoil(page.read_bytes(), blur=blur, dust=dust, stain=stain)
    assert codes(spoilt) == [text]


def test_what_cannot_be_read_is_not_read_as_something_else(made: Made, tmp_path: Path) -> None:
    _, pdf = made
    page = draw(pdf, tmp_path, 150)[2]
    assert codes(spoil(page.read_bytes(), blur=3, dust=0.0, stain=0.5)) == []


# --- the program's own look at the pages ----------------------------------------------------


def test_the_pages_are_the_same_bytes_every_time(made: Made) -> None:
    assert example() == made


def test_a_code_that_reads_as_something_else_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_code = qr.draw_code
    monkeypatch.setattr(paper_printer, "draw_code", lambda text: draw_code(text.replace("A", "B")))
    check_refused("QR code")


def test_a_code_that_does_not_read_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(text: str) -> Modules:
        rows = qr.draw_code(text)
        return (*rows[: len(rows) // 2], *((False,) * len(rows),) * (len(rows) - len(rows) // 2))

    monkeypatch.setattr(paper_printer, "draw_code", torn)
    check_refused("QR code")


def test_a_writer_that_moves_a_box_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is the file, not the intention."""

    def half(title: str, pages: list[PdfPage]) -> bytes:
        return render_pdf(title, [PdfPage(page.texts, page.boxes[::2]) for page in pages])

    monkeypatch.setattr(paper_printer, "render_pdf", half)
    check_refused("QR code")


def test_rows_of_another_part_stop_it() -> None:
    files = cut_files(FILES)
    first, second, *rest = render_sheets(FACTS, files)
    exchanged = type(first)(second.texts, first.part)
    with pytest.raises(ToolError) as refused:
        PdfPrinter().render("t", [exchanged, second, *rest], Progress())
    assert refused.value.code == "CUS-1/paper-reread"
    assert "text on page 1" in refused.value.summary


def check_refused(what: str) -> None:
    sheets = render_sheets(FACTS, cut_files(FILES))
    with pytest.raises(ToolError) as refused:
        PdfPrinter().render("t", sheets, Progress())
    assert refused.value.code == "CUS-1/paper-reread"
    assert what in refused.value.summary
    assert refused.value.unchanged == "Nothing was written."


def test_it_can_be_cancelled() -> None:
    progress = Progress()
    assert progress.cancel()
    with pytest.raises(Cancelled):
        PdfPrinter().render("t", render_sheets(FACTS, cut_files(FILES)), progress)


def test_the_reader_shares_nothing_with_the_writer() -> None:
    for text in ("A", "x" * 482, "-----BEGIN\n\nabc"):
        modules = qr.draw_code(text)
        side = (len(modules) + 8) * 4
        grey = bytearray(b"\xff" * side * side)
        for y, row in enumerate(modules):
            for x, dark in enumerate(row):
                for line in range(4) if dark else ():
                    start = ((y + 4) * 4 + line) * side + (x + 4) * 4
                    grey[start : start + 4] = bytes(4)
        assert qr.read_codes(grey, side) == (text.encode(),)
    assert qr.read_codes(bytearray(b"\xff" * 10_000), 100) == ()


def test_the_largest_part_makes_the_largest_code_that_pages_have_room_for() -> None:
    assert len(qr.draw_code("a" * 482)) == 97
    assert len(qr.draw_code("a" * 483)) > 97
