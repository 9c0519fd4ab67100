"""The rows around a screen's body: title, rules, message, keys; and the size notice."""

from textual.content import Content
from textual.widget import Widget

from pai_signer.faces.rows import cut, wrapped
from pai_signer.faces.tui.safe_render import plain
from pai_signer.faces.wording import MIN_COLUMNS, MIN_ROWS, title_row


class Rule(Widget):
    """A line across."""

    def render(self) -> Content:
        """The line."""
        return plain("─" * self.content_size.width, "$secondary")


class OneRow(Widget):
    """One row of sanitised text."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._text = ""
        self._style = ""

    @property
    def text(self) -> str:
        """What it says."""
        return self._text

    def show(self, text: str, style: str = "") -> None:
        """Say something else."""
        self._text, self._style = text, style
        self.refresh()

    def render(self) -> Content:
        """The text, cut to the width."""
        return plain(cut(self._text, self.content_size.width), self._style)


class TitleBar(Widget):
    """The step at the left; rehearsal, air gap and clock at the right."""

    def __init__(self) -> None:
        super().__init__(id="title")
        self._left = ""
        self._right = ""

    def show(self, left: str, right: str) -> None:
        """Show both halves, already sanitised."""
        self._left, self._right = left, right
        self.refresh()

    def render(self) -> Content:
        """Both halves in one row."""
        return plain(title_row(self._left, self._right, self.content_size.width), "bold")


class SizeNotice(Widget):
    """Covers everything while the terminal is too small, and says what it needs."""

    def render(self) -> Content:
        """Whole words down to very small terminals."""
        width, height = self.app.size
        text = (
            f"This terminal is {width}x{height}. pai-signer needs {MIN_COLUMNS}x{MIN_ROWS}: "
            "make it larger to go on. Nothing is lost. Ctrl+Q leaves."
        )
        return Content("\n".join(wrapped(text, max(self.content_size.width, 1))))
