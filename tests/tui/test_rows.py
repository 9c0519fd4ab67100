"""Pages become rows that fit, that hide nothing and that script nothing (SEC-3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.faces.rows import CONSOLE_EXTRAS, Layout, cells, cut, shown, wrapped
from pai_signer.faces.tui.safe_render import content
from tests.tui.fake_desk import HOSTILE

TEXTS = st.text(max_size=200)
LINES = st.builds(Line, TEXTS, TEXTS, st.sampled_from(Mark))


@given(st.lists(LINES, max_size=5), TEXTS, st.integers(40, 200), st.booleans())
def test_every_row_is_printable_and_no_wider_than_asked(
    lines: list[Line], title: str, width: int, lat15: bool
) -> None:
    rows = Layout(width, lat15).page(Page(title, tuple(lines)))
    for row in rows:
        assert row.text.isprintable()
        assert cells(row.text) <= width
    assert content(rows).plain.split("\n") == [row.text for row in rows]


@given(TEXTS, st.integers(1, 80))
def test_wrapping_loses_nothing_but_spaces_at_the_breaks(text: str, width: int) -> None:
    safe = shown(text, lat15=True)
    rows = wrapped(safe, width)
    assert "".join(rows).replace(" ", "") == safe.replace(" ", "")
    assert all(cells(row) <= max(width, 2) for row in rows)


@given(TEXTS)
def test_a_console_gets_only_glyphs_that_its_font_has(text: str) -> None:
    for char in shown(text, lat15=True):
        assert char in CONSOLE_EXTRAS or char.encode("iso8859-15")


@given(TEXTS, st.integers(0, 80))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert cells(cut(shown(text, lat15=False), width)) <= width


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb", r"a\u202eb"),
        ("\u05d0", r"\u05d0"),
        ("e\u0301", r"e\u0301"),
        ("x\ny", r"x\x0ay"),
        ("\x1b[31m", r"\x1b[31m"),
        ("[b]x[/b]", "[b]x[/b]"),
        ("Zoë", "Zoë"),
    ],
)
def test_what_deceives_is_escaped_and_the_rest_stands(text: str, expected: str) -> None:
    assert shown(text, lat15=False) == expected


def test_markup_never_becomes_style() -> None:
    rows = Layout(80).lines([Line(name, label=name) for name in HOSTILE])
    assert content(rows).plain == "\n".join(row.text for row in rows)


def test_digests_stand_in_groups_under_each_other_with_the_mark_at_the_right() -> None:
    rows = Layout(78).lines(
        [
            *digest_lines("computed", "9f27ee06" * 8),
            *digest_lines("expected", "9f27ee06" * 8, Mark.OK),
        ]
    )
    assert [row.text for row in rows] == [
        "computed  9f27ee06 9f27ee06 9f27ee06 9f27ee06",
        "          9f27ee06 9f27ee06 9f27ee06 9f27ee06",
        "expected  9f27ee06 9f27ee06 9f27ee06 9f27ee06",
        "          9f27ee06 9f27ee06 9f27ee06 9f27ee06" + " " * 29 + "[OK]",
    ]
    assert rows[0].label_cells == 8
    assert rows[-1].mark is Mark.OK


def test_a_label_that_is_too_long_gets_a_row_of_its_own() -> None:
    rows = Layout(40).lines([Line("text", label="l" * 30), Line("more", label="short")])
    assert [row.text for row in rows] == ["l" * 30, "       text", "short  more"]
