"""Whatever the bytes, they come back from codes, from typed rows and from a page (CUS-1)."""

from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.paper import cut_file, cut_files
from pai_signer.domain.paper_pages import render_sheets, rows_on
from pai_signer.domain.pdf import Box, PdfPage, Text, read_pdf, render_pdf
from tests.domain.test_paper import check_it_is_whole
from tests.paper import FACTS

printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
lengths = st.integers(0, 100_000)
texts = st.builds(Text, lengths, lengths, st.integers(1, 99), printable, st.booleans())
pages = st.builds(
    PdfPage,
    st.lists(texts, max_size=9).map(tuple),
    st.lists(st.builds(Box, lengths, lengths, lengths, lengths), max_size=9).map(tuple),
)


@given(st.binary(min_size=1, max_size=3000))
def test_any_bytes_come_back(data: bytes) -> None:
    check_it_is_whole(cut_file("name", data), data)


@given(st.lists(printable, min_size=1, max_size=60))
def test_any_lines_come_back(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    check_it_is_whole(cut_file("name", data), data)


@given(printable, st.lists(pages, min_size=1, max_size=4))
def test_any_pages_are_read_from_the_file_as_they_are(title: str, drawn: list[PdfPage]) -> None:
    assert read_pdf(render_pdf(title, drawn)) == tuple(drawn)


@given(st.lists(printable, min_size=1, max_size=20))
def test_any_rows_are_read_from_their_pages(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    sheets = render_sheets(FACTS, cut_files({"minisign.key": data}))
    for sheet in sheets:
        assert rows_on(PdfPage(sheet.texts)) == sheet.part.rows
