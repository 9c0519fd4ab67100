"""Rows to Textual content: plain spans, so that no text is ever read as markup (SEC-3)."""

from collections.abc import Iterable
from typing import Final

from textual.content import Content

from pai_signer.domain.page import Mark
from pai_signer.faces.rows import Row

_MARK_STYLES: Final = {
    Mark.OK: "bold $success",
    Mark.WARN: "bold $warning",
    # On the theme's own red, letters in the colour of the ground have too little contrast.
    Mark.FAIL: "bold reverse $error-lighten-2",
    Mark.WAIVED: "bold $warning",
}


#: Of a QR code: not the theme's, and on 16 colours the nearest, black on white (EXP-4).
CODE_STYLE: Final = "#000000 on #ffffff"


def content(rows: Iterable[Row], reverse: frozenset[int] = frozenset()) -> Content:
    """One content line for each row; those whose index is in ``reverse`` stand out."""
    return Content("\n").join(
        _row(row).stylize("reverse") if index in reverse else _row(row)
        for index, row in enumerate(rows)
    )


def plain(text: str, style: str = "") -> Content:
    """Text that is already sanitised, in one style."""
    return Content.styled(text, style) if style else Content(text)


def _row(row: Row) -> Content:
    if row.code_cells:
        code, beside = row.text[: row.code_cells], row.text[row.code_cells :]
        return Content.assemble((code, CODE_STYLE), beside)
    if row.is_heading:
        return Content.styled(row.text, "bold")
    rest = row.text[row.label_cells :] if row.label_cells else row.text
    label = row.text[: len(row.text) - len(rest)]
    mark = row.mark.value
    body = rest[: len(rest) - len(mark)] if mark else rest
    return Content.assemble((label, "$secondary"), body, (mark, _MARK_STYLES.get(row.mark, "")))
