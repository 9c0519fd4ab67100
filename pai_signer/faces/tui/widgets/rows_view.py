"""A pane of rows that scrolls by keys and knows whether its end was seen."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from pai_signer.faces.rows import Layout, Row
from pai_signer.faces.tui.safe_render import content

Build = Callable[[Layout], Sequence[Row]]


class RowsView(Widget, can_focus=True):
    """Shows what ``build`` sets for the width at hand; sets it again after a resize."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_by(-1)", show=False),
        Binding("down", "scroll_by(1)", show=False),
    ]

    class Moved(Message):
        """Other rows are in view, by a key or by a new size."""

    def __init__(self, *, lat15: bool) -> None:
        super().__init__(id="body")
        self._lat15 = lat15
        self._build: Build = lambda _layout: ()
        self._rows: Sequence[Row] = ()
        self._first = 0
        self._keep_end = False

    def show(self, build: Build, *, at_end: bool = False) -> None:
        """Show other rows, from the start or so that the last one is in view."""
        self._build = build
        self._keep_end = at_end
        self._first = 0
        self._set()
        self.refresh(layout=True)

    def keep_end(self) -> None:
        """Keep the last row in view when the pane gets smaller."""
        self._keep_end = True
        self._set()
        self.refresh()

    @property
    def more_below(self) -> bool:
        """Whether rows are hidden under the lower edge."""
        return self._first + self._height < len(self._rows)

    def keeps_in_view(self, rows: int) -> bool:
        """Whether all that is in view stays there when the pane gets smaller by ``rows``."""
        return len(self._rows) - self._first + rows <= self._height

    @property
    def rows_in_view(self) -> tuple[int, int, int]:
        """Number of the first and last visible row, and of all."""
        last = min(self._first + self._height, len(self._rows))
        return self._first + 1, last, len(self._rows)

    def page_down(self) -> None:
        """One screenful on, with one row kept for the eye."""
        self.action_scroll_by(max(self._height - 1, 1))

    def page_up(self) -> None:
        """One screenful back."""
        self.action_scroll_by(-max(self._height - 1, 1))

    def action_scroll_by(self, rows: int) -> None:
        """Move by so many rows."""
        self._keep_end = False
        self._first = max(0, min(self._first + rows, self._last_first))
        self._moved()

    def on_resize(self, event: Resize) -> None:
        """Set the rows again for the new width."""
        self._set()
        self._moved()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are, where the layout asks; it may ask before the first size."""
        return len(self._build(Layout(max(width, 1), self._lat15)))

    def render(self) -> Content:
        """The rows in view."""
        return content(self._rows[self._first : self._first + self._height])

    @property
    def _height(self) -> int:
        return self.content_size.height

    @property
    def _last_first(self) -> int:
        return max(0, len(self._rows) - self._height)

    def _set(self) -> None:
        width = self.content_size.width
        if not width:
            return
        self._rows = self._build(Layout(width, self._lat15))
        self._first = self._last_first if self._keep_end else min(self._first, self._last_first)

    def _moved(self) -> None:
        self.refresh()
        self.post_message(self.Moved())
