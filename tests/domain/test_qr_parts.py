"""Parts of a file as the text of QR codes: each slip is told, and nothing is guessed (EXP-4)."""

import base64
import hashlib
import subprocess

import pytest

from pai_signer.domain.paper import MAX_FILE_BYTES
from pai_signer.domain.qr_parts import (
    CODE_CHARACTERS,
    MAX_FILES,
    QrPart,
    cut_for_codes,
    grouped,
    join_scanned,
    number_ranges,
    parse_numbers,
    parse_payload,
)
from pai_signer.errors import CannotTell, DigestMismatch, FormatError, PolicyRefused, SignerError

ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
NAME = "pai-0.2.0-amd64.iso.minisig"
DATA = bytes(range(256)) + b"and a little more, of another kind\n" * 2


def lines_of(name: str = NAME, data: bytes = DATA) -> list[str]:
    return [part.payload for part in cut_for_codes(name, data)]


def refusal(lines: list[str]) -> SignerError:
    with pytest.raises(SignerError) as refused:
        join_scanned("\n".join(lines))
    return refused.value


def stock(*command: str, stdin: str) -> str:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def checked(rest: str) -> str:
    """A line with the right check before ``rest``: what only a program could get wrong."""
    return f"PSQ1:{hashlib.sha256(rest.encode()).hexdigest()[:4].upper()}:{rest}"


def test_the_parts_come_back_in_any_order_and_twice() -> None:
    lines = lines_of()
    assert len(lines) == 6
    assert all(set(line) <= ALPHANUMERIC and len(line) <= CODE_CHARACTERS for line in lines)
    others = lines_of("v0.2.0.bundle", b"x" * 411)
    scanned = [*reversed(lines), "", *others, lines[2], lines[2], others[0]]
    files = join_scanned("\r\n".join(scanned))
    assert [(f.name, f.data, f.count) for f in files] == [
        (NAME, DATA, 6),
        ("v0.2.0.bundle", b"x" * 411, len(others)),
    ]
    assert files[0].sha256 == hashlib.sha256(DATA).hexdigest()


def test_stock_tools_read_a_body_and_both_digests() -> None:
    part = cut_for_codes("SHA256SUMS", b"0123456789")[0]
    _, check, name, place, digest, body = part.payload.split(":")
    assert (name, place) == ("%SHA256SUMS", "1/1")
    padded = body + "=" * (-len(body) % 8)
    assert stock("base32", "-d", stdin=padded) == "0123456789"
    for text, digits in ((f"{name}:{place}:{digest}:{body}", check), ("0123456789", digest)):
        assert stock("sha256sum", stdin=text).upper().startswith(digits)


def test_typed_lines_may_have_spaces_and_small_letters() -> None:
    part = cut_for_codes(NAME, DATA)[0]
    typed = "  ".join(grouped(row) for row in part.rows).lower()
    assert parse_payload(typed) == part
    assert all(len(grouped(row)) <= 24 for row in part.rows)


@pytest.mark.parametrize(
    "name", ["SHA256SUMS.minisig", "v0.2.0-rc.1+b_2.bundle", "a_B-c", "Receipt.JSON", "X" * 40]
)
def test_every_safe_name_comes_back_as_it_was(name: str) -> None:
    assert {parse_payload(line).name for line in lines_of(name)} == {name}


# --- what is refused ---------------------------------------------------------------------


def test_missing_parts_are_named_file_by_file() -> None:
    lines = lines_of()
    error = refusal([lines[0], lines[4], *lines_of("v0.2.0.bundle", b"x" * 411)[1:]])
    assert isinstance(error, CannotTell)
    assert error.code == "EXP-4/missing"
    assert f"Of {NAME} missing: part 2-4, 6 of 6." in error.summary
    assert "Of v0.2.0.bundle missing: part 1 of " in error.summary


def test_nothing_at_all_is_no_success() -> None:
    assert refusal(["", "  "]).code == "EXP-4/nothing"


@pytest.mark.parametrize("at", range(0, 130, 10))
def test_a_mistyped_letter_is_told_with_its_line_and_what_it_makes_missing(at: int) -> None:
    lines = lines_of()
    other = "A" if lines[1][at] != "A" else "B"
    lines[1] = lines[1][:at] + other + lines[1][at + 1 :]
    error = refusal(lines)
    assert isinstance(error, FormatError)
    assert error.code == ("EXP-4/foreign" if at < 5 else "EXP-4/part")
    assert error.summary.startswith("Line 2: ")
    assert f"Of {NAME} missing: part 2 of 6." in error.hint


def test_the_checks_of_a_wrong_lines_rows_say_which_row_it_is() -> None:
    part = cut_for_codes(NAME, DATA)[0]
    rows = [row.check for row in part.rows]
    typed = part.payload[:-1] + ("A" if part.payload[-1] != "A" else "B")
    error = refusal([typed])
    told = error.summary.rpartition("checks ")[2].rstrip(".").split()
    assert told[:-1] == rows[:-1]
    assert told[-1] != rows[-1]


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org",
        "WIFI:S:net;T:WPA;P:secret;;",
        "PSQ2:0000:A:1/1:0123456789ABCDEF:ME",
        "\x1b[2J\x1b]0;title\x07",
        "PSQ1:" + "A" * 500,
        "PSQ1:\N{LATIN SMALL LETTER DOTLESS I}",
    ],
)
def test_lines_of_others_are_foreign(line: str) -> None:
    error = refusal([*lines_of(), line])
    assert error.code == "EXP-4/foreign"
    assert "complete" in error.hint


@pytest.mark.parametrize(
    "rest",
    [
        "..:1/1:{digest}:ME",
        ".PROFILE:1/1:{digest}:ME",
        "-RF:1/1:{digest}:ME",
        "CON:1/1:{digest}:ME",
        "A:2/1:{digest}:ME",
        "%%A:1/1:{digest}:ME",  # another spelling of a name that has one
        "A%:1/1:{digest}:ME",
        "A:1/1:{digest}:MF",  # bits beyond the last byte
    ],
)
def test_a_line_that_is_well_checked_and_not_ours_is_foreign(rest: str) -> None:
    digest = hashlib.sha256(b"a").hexdigest()[:16].upper()
    assert join_scanned(checked(f"A:1/1:{digest}:ME"))[0].data == b"a"
    assert refusal([checked(rest.format(digest=digest))]).code == "EXP-4/foreign"


@pytest.mark.parametrize("start", ["A/B:1/1", "A:0/1", "A:1/1000"])
def test_a_line_of_another_form_is_wrong(start: str) -> None:
    assert refusal([checked(f"{start}:0123456789ABCDEF:ME")]).code == "EXP-4/part"


def test_parts_of_two_files_of_one_name_are_never_joined() -> None:
    old, new = lines_of(), lines_of(data=DATA[:-1] + b"!")
    error = refusal([*old[:3], *new[3:]])
    assert error.code == "EXP-4/mixed"
    for data, lacking in ((DATA, "missing 4-6 of 6"), (DATA[:-1] + b"!", "missing 1-3 of 6")):
        assert f"SHA-256 {hashlib.sha256(data).hexdigest()[:16]}..." in error.summary
        assert lacking in error.summary
    assert refusal([*old, *new]).code == "EXP-4/mixed"


def test_two_different_bodies_of_one_part_are_told_apart() -> None:
    lines = lines_of()
    first = parse_payload(lines[0])
    forged = QrPart(first.name, 1, 6, first.digest, first.data[:-1] + b"!")
    assert refusal([*lines, forged.payload]).code == "EXP-4/mixed"


def test_a_joined_file_that_is_not_the_one_that_was_cut_is_refused() -> None:
    lines = lines_of()
    first = parse_payload(lines[0])
    forged = QrPart(first.name, 1, 6, first.digest, first.data[:-1] + b"!")
    error = refusal([forged.payload, *lines[1:]])
    assert isinstance(error, DigestMismatch)
    assert error.code == "EXP-4/joined"


def test_more_files_than_anybody_shows_are_refused() -> None:
    lines = [line for n in range(MAX_FILES + 1) for line in lines_of(f"f{n}", b"x")]
    assert refusal(lines).code == "EXP-4/too-many"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a", b"", "EXP-4/empty"),
        ("a", bytes(MAX_FILE_BYTES + 1), "EXP-4/size"),
        ("a b", b"x", "EXP-4/name"),
        ("a" * 120, b"x", "EXP-4/name"),
    ],
)
def test_what_no_codes_are_made_of(name: str, data: bytes, code: str) -> None:
    with pytest.raises((FormatError, PolicyRefused)) as refused:
        cut_for_codes(name, data)
    assert refused.value.code == code


def test_the_largest_file_fits_into_numbers_of_three_digits() -> None:
    data = bytes(MAX_FILE_BYTES)
    lines = lines_of("a" * 30, data)
    assert max(map(len, lines)) <= CODE_CHARACTERS
    assert join_scanned("\n".join(lines))[0].data == data


def test_base32_bodies_have_no_digit_that_looks_like_a_letter() -> None:
    assert set(base64.b32encode(bytes(range(256))).decode()).isdisjoint("0189")


# --- numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3", (3,)),
        ("3, 7-9", (3, 7, 8, 9)),
        ("9,1 - 2,1", (1, 2, 9)),
        ("", None),
        ("0", None),
        ("10", None),
        ("3-1", None),
        ("1,,2", None),
        ("\N{ARABIC-INDIC DIGIT ONE}", None),
        ("x", None),
    ],
)
def test_numbers_of_parts(text: str, numbers: tuple[int, ...] | None) -> None:
    assert parse_numbers(text, 9) == numbers


def test_what_is_told_to_be_missing_can_be_asked_for() -> None:
    numbers = (1, 3, 4, 5, 9)
    assert number_ranges(numbers) == "1, 3-5, 9"
    assert parse_numbers(number_ranges(numbers), 9) == numbers
