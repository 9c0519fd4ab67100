"""A file in parts for paper: nothing is lost, whatever a person or a reader trims (CUS-1)."""

import base64
import hashlib

import pytest

from pai_signer.domain.manifest import parse_manifest
from pai_signer.domain.paper import (
    CODE_BYTES,
    LIST_NAME,
    LIST_TITLE,
    MAX_FILE_BYTES,
    MAX_ROWS,
    ROW_CHARACTERS,
    PaperFile,
    Row,
    cut_file,
    cut_files,
    join_parts,
    join_rows,
)
from pai_signer.errors import FormatError, PolicyRefused
from tests.paper import FILES, armored, minisign_key


def check_it_is_whole(file: PaperFile, data: bytes) -> None:
    """Both ways back give the file, and no page holds more than a page may."""
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert join_parts((part.text for part in file.parts), is_base64=file.is_base64) == data
    rows = [row for part in file.parts for row in part.rows]
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    typed = f"{join_rows(row.text for row in rows)}\n".encode("ascii")
    assert (base64.b64decode(typed) if file.is_base64 else typed) == data
    for part in file.parts:
        assert part.text == part.text.strip()
        assert 0 < len(part.text) <= CODE_BYTES
        assert join_rows(row.text for row in part.rows) == part.text
        assert len(part.rows) <= MAX_ROWS
        assert part.sha256 == hashlib.sha256(f"{part.text}\n".encode()).hexdigest()
        for row in part.rows:
            assert len(row.text) <= ROW_CHARACTERS + 1
            assert row.text == row.text.strip()


@pytest.mark.parametrize("data", [minisign_key(), armored(800), armored(5000), b"a\n", b"a\nb\n"])
def test_plain_text_stands_as_it_is(data: bytes) -> None:
    file = cut_file("name", data)
    assert not file.is_base64
    check_it_is_whole(file, data)


def test_a_minisign_key_takes_one_page_and_an_ed25519_export_three() -> None:
    assert len(cut_file("minisign.key", minisign_key()).parts) == 1
    assert len(cut_file("gpg-secret.asc", armored(800)).parts) == 3
    assert len(cut_file("gpg-secret.asc", armored(5000)).parts) <= 17, "RSA-4096 with a subkey"


@pytest.mark.parametrize(
    "data",
    [
        b"no line end",
        b"two\n\n",
        b"\nfirst\n",
        b"\n",
        b" led by a space\n",
        b"trailing space \n",
        b"two  spaces\n",
        b"back\\slash\n",
        b"carriage\r\n",
        b"tab\tbed\n",
        b"escape\x1b[2J\n",
        "Zoë\n".encode(),
        b"\xff\xfe\x00",
        b"x" * (CODE_BYTES + 1) + b"\n",
        (b"x" * 60 + b"\n") * 7 + b"\n" + b"y" * 60 + b"\n",
    ],
)
def test_what_could_lose_something_stands_in_base64(data: bytes) -> None:
    file = cut_file("name", data)
    assert file.is_base64
    check_it_is_whole(file, data)


def test_no_row_begins_with_a_space() -> None:
    for length in range(ROW_CHARACTERS - 3, ROW_CHARACTERS + 3):
        data = b"x" * length + b" " + b"y" * 80 + b"\n"
        file = cut_file("name", data)
        assert not file.is_base64
        rows = [row.text for part in file.parts for row in part.rows]
        assert not any(row.startswith(" ") for row in rows)
        check_it_is_whole(file, data)


def test_many_short_lines_do_not_overflow_a_page() -> None:
    data = b"".join(b"%d\n" % n for n in range(200))
    check_it_is_whole(cut_file("name", data), data)


def test_a_check_finds_a_mistyped_row() -> None:
    (row, *_) = cut_file("name", b"lO1l0I\n").parts[0].rows
    assert row.check == hashlib.sha256(b"lO1l0I").hexdigest()[:4]
    for mistyped in ("1O1l0I", "l01l0I", "lOll0I", "lO1l0l", "lO1l0I ", "lO1lOI", "lO1l0"):
        assert Row(row.number, mistyped).check != row.check


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(FormatError) as refused:
        cut_file("minisign.key", b"")
    assert refused.value.code == "CUS-1/paper-empty"


@pytest.mark.parametrize("size", [MAX_FILE_BYTES + 1, 1 << 24])
def test_a_file_that_would_fill_a_book_is_refused(size: int) -> None:
    with pytest.raises(PolicyRefused) as refused:
        cut_file("gpg-secret.asc", bytes(size))
    assert refused.value.code == "CUS-1/paper-size"


def test_the_largest_file_has_names_that_sort() -> None:
    assert len(cut_file("gpg-secret.asc", bytes(MAX_FILE_BYTES)).parts) < 100


def test_the_list_is_one_part_and_no_manifest_of_a_release() -> None:
    (listed, *files) = cut_files(FILES)
    assert listed.name == LIST_NAME
    (part,) = listed.parts
    title, *lines = part.text.splitlines()
    assert title == LIST_TITLE
    assert lines == [f"{file.sha256} *{file.name}" for file in files]
    data = join_parts([part.text], is_base64=False)
    with pytest.raises(FormatError):
        parse_manifest(data)
