"""What stands on the pages, and that it fits wherever it is printed (CUS-1)."""

import dataclasses
import re

import pytest

from pai_signer.domain.paper import MAX_FILE_BYTES, MAX_ROWS, Row, cut_files
from pai_signer.domain.paper_pages import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Sheet,
    render_sheets,
    rows_on,
    scan_name,
)
from pai_signer.domain.pdf import POINT, PdfPage
from pai_signer.errors import FormatError
from tests.paper import FACTS, FILES, armored

#: US Letter, in the lower left corner of which, or upper, or in the middle, A4 may land.
LETTER_WIDTH, LETTER_HEIGHT = 612 * POINT, 792 * POINT
A4_TOP = 841_89


def lines(sheet: Sheet) -> str:
    return "\n".join(text.text for text in sheet.texts)


def pages(**changes: object) -> tuple[Sheet, ...]:
    return render_sheets(dataclasses.replace(FACTS, **changes), cut_files(FILES))  # type: ignore[arg-type]


def test_the_first_page_says_what_it_is_and_what_follows() -> None:
    first, *rest = pages()
    shown = lines(first)
    assert shown.startswith("BACKUP ON PAPER, not a release\n")
    assert re.search(r"minisign\.key +page 2\n", shown)
    assert re.search(r"gpg-secret\.asc +pages 3 to 5\n", shown)
    assert re.search(r"revocations\.gpg +pages 6 to 8\n", shown)
    assert FACTS.keys[0][1] in shown
    assert FACTS.keys[1][1] in shown
    assert len(rest) == 7
    for number, sheet in enumerate(rest, start=2):
        assert f"page {number} of 8" in lines(sheet)


def test_each_page_says_whose_it_is_and_which_part() -> None:
    files = cut_files(FILES)
    parts = [(file, index) for file in files for index in range(len(file.parts))]
    for sheet, (file, index) in zip(pages(), parts, strict=True):
        shown = lines(sheet)
        assert sheet.part is not None
        assert sheet.part == file.parts[index]
        assert FACTS.custodian in shown
        assert "000042" in shown
        assert f"part       {index + 1} of {len(file.parts)}\n" in shown
        assert scan_name(file, index) in shown
        digits = shown.replace(" ", "").replace("\n", "")
        assert file.sha256 in digits
        assert sheet.part.sha256 in digits


def test_a_rehearsal_says_so_on_every_page() -> None:
    assert all("REHEARSAL" in lines(sheet) for sheet in pages(rehearsal=True))
    assert not any("REHEARSAL" in lines(sheet) for sheet in pages(rehearsal=False))


def test_no_page_says_a_secret_is_on_it_in_the_clear() -> None:
    assert "which is on no paper here" in lines(pages()[0])


def test_everything_is_within_a4_and_letter_however_letter_crops_it() -> None:
    for sheet in pages(rehearsal=True):
        for text in sheet.texts:
            assert text.x >= LEFT
            assert text.x + text.width <= RIGHT
            assert text.y >= BOTTOM
            assert text.y + text.size_points * POINT <= TOP
    margin = 12 * POINT
    assert RIGHT + margin <= LETTER_WIDTH
    assert TOP + margin <= LETTER_HEIGHT, "cropped above"
    assert BOTTOM - margin >= A4_TOP - LETTER_HEIGHT, "cropped below"


@pytest.mark.parametrize(
    "files",
    [
        {"gpg-secret.asc": bytes(MAX_FILE_BYTES)},
        {"gpg-secret.asc": b"a\n" * MAX_ROWS * 3},
        {"gpg-secret.asc": armored(5000), "minisign.key": b"x\n", "revocations.gpg": b"\0" * 3000},
    ],
)
def test_the_fullest_pages_fit(files: dict[str, bytes]) -> None:
    facts = dataclasses.replace(
        FACTS,
        rehearsal=True,
        project="A Project With A Rather Long Name " * 3,
        custodian="Dr. Wilhelmina Featherstonehaugh-Cholmondeley " * 4,
        number=10**6 - 1,
    )
    cut = cut_files(files)
    sheets = render_sheets(facts, cut)
    assert len(sheets) == sum(len(file.parts) for file in cut)


def test_a_name_beyond_ascii_is_escaped_and_still_there() -> None:
    for sheet in pages(custodian="Zoë Ōkami"):
        assert r"Zo\xeb \u014ckami" in lines(sheet)


def test_rows_are_read_from_the_page_and_a_wrong_one_is_refused() -> None:
    sheet = pages()[1]
    assert rows_on(PdfPage(sheet.texts)) == sheet.part.rows
    row = next(text for text in sheet.texts if "untrusted comment" in text.text)
    for wrong in (row.text.replace("secret", "Secret"), row.text[:-1] + "!", "nothing"):
        changed = dataclasses.replace(row, text=wrong)
        texts = tuple(changed if text == row else text for text in sheet.texts)
        with pytest.raises(FormatError) as refused:
            rows_on(PdfPage(texts))
        assert refused.value.code == "CUS-1/paper-row"


def test_a_row_knows_its_check() -> None:
    assert Row(1, "").check == "e3b0"  # the SHA-256 of nothing begins so
