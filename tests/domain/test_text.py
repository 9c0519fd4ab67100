"""No character from outside reaches a terminal or a log unless it is plainly visible (SEC-3)."""

import sys
import unicodedata

import pytest

from pai_signer.domain.text import DEFAULT_LIMIT, is_safe, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pai-0.2.0-amd64.iso", "pai-0.2.0-amd64.iso"),
        ("Mía Ñandú 李", "Mía Ñandú 李"),
        ("a[/b].iso", "a[/b].iso"),
        ("[@click=app.quit]", "[@click=app.quit]"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc\0", "a\\x0ab\\x0d\\x09c\\x00"),
        ("\x7f\x80\x9b2J", "\\x7f\\x80\\x9b2J"),
        ("iso.\u202eexe", "iso.\\u202eexe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("a\u00a0b\u00adc", "a\\xa0b\\xadc"),
        ("a\u2800b\u3164", "a\\u2800b\\u3164"),
        ("a\ufe0fb\u180b", "a\\ufe0fb\\u180b"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("vs\U000e0100", "vs\\U000e0100"),
        ("bad\udcffbyte", "bad\\xffbyte"),
        ("lone\ud800", "lone\\ud800"),
        ("", ""),
    ],
)
def test_what_is_not_plainly_visible_is_escaped(text: str, shown: str) -> None:
    assert safe_text(text) == shown
    assert is_safe(text) == (text == shown)


def test_no_control_format_or_separator_character_of_unicode_passes() -> None:
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        category = unicodedata.category(char)
        if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or (
            category == "Zs" and char != " "
        ):
            assert safe_text(char).isascii(), hex(point)
            assert safe_text(char).isprintable(), hex(point)


def test_every_printable_ascii_character_passes_unchanged() -> None:
    ascii_text = "".join(map(chr, range(0x20, 0x7F)))
    assert safe_text(ascii_text) == ascii_text


def test_a_long_text_is_cut_and_the_cut_is_marked() -> None:
    assert safe_text("x" * DEFAULT_LIMIT) == "x" * DEFAULT_LIMIT
    assert safe_text("x" * (DEFAULT_LIMIT + 1)) == "x" * DEFAULT_LIMIT + "[...]"
    assert safe_text("abcdef", limit=3) == "abc[...]"


def test_an_escape_is_never_cut_in_two() -> None:
    assert safe_text("ab\x1b", limit=4) == "ab[...]"
    assert safe_text("ab\x1b", limit=6) == "ab\\x1b"
