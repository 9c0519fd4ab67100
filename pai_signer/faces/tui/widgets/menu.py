"""A numbered menu: digits or arrows; lines that cannot be chosen stay and say why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key, Resize
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from pai_signer.faces.rows import Layout, Row, wrapped
from pai_signer.faces.tui.safe_render import content


@dataclass(frozen=True)
class MenuLine:
    """One line; ``key`` is an extra letter that picks it."""

    label: str
    unavailable_because: str = ""
    key: str = ""


class Menu(Widget, can_focus=True):
    """Posts ``Picked`` with the index of a line, available or not: the screen decides."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "pick", show=False),
    ]

    class Picked(Message):
        """A line was picked."""

        def __init__(self, index: int) -> None:
            self.index = index
            super().__init__()

    class Moved(Message):
        """Another line is highlighted: what was said of the one before is past."""

    class HalfTyped(Message):
        """The digits so far highlight a line, and could become a longer number."""

        def __init__(self, number: int) -> None:
            self.number = number
            super().__init__()

    def __init__(self, lines: Sequence[MenuLine], *, lat15: bool, selected: int = 0) -> None:
        super().__init__()
        self._lines = tuple(lines)
        self._lat15 = lat15
        self._selected = min(selected, max(len(self._lines) - 1, 0))
        self._typed = ""

    @property
    def lines(self) -> tuple[MenuLine, ...]:
        """What can be picked."""
        return self._lines

    @property
    def half_typed(self) -> int:
        """The number so far that could become a longer one; 0 for none."""
        return int(self._typed or 0)

    def action_move(self, by: int) -> None:
        """Highlight another line."""
        if self._lines:
            self._highlight((self._selected + by) % len(self._lines))

    def action_first(self) -> None:
        """Highlight the first line."""
        self._highlight(0)

    def action_last(self) -> None:
        """Highlight the last line."""
        self._highlight(max(len(self._lines) - 1, 0))

    def action_pick(self) -> None:
        """Pick the highlighted line."""
        self._typed = ""
        if self._lines:
            self.post_message(self.Picked(self._selected))

    def on_key(self, event: Key) -> None:
        """Digits pick by number; with ten lines and more, once no longer number fits."""
        char = event.character or ""
        keys = [line.key for line in self._lines]
        if char and char in keys:
            event.stop()
            self._selected = keys.index(char)
            self.action_pick()
        elif char.isascii() and char.isdigit():
            event.stop()
            self._type(char)

    def on_resize(self, event: Resize) -> None:
        """Wrap again."""
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as the lines take."""
        return sum(len(rows) for rows in self._set(width))

    def render(self) -> Content:
        """The lines around the highlighted one, as far as there is room."""
        width, height = self.content_size
        blocks = self._set(width)
        rows = [row for block in blocks for row in block]
        before = sum(len(block) for block in blocks[: self._selected])
        end = before + len(blocks[self._selected]) if blocks else 0
        # One row is kept for the note that there is more below.
        first = max(0, end + (end < len(rows)) - height)
        marked = range(before - first, end - first)
        view = rows[first : first + height]
        if first > 0 and 0 not in marked:
            view[0] = Row("     … more above")
        if first + height < len(rows) and len(view) - 1 not in marked:
            view[-1] = Row("     … more below")
        return content(view, reverse=frozenset(marked))

    def _highlight(self, index: int) -> None:
        self._typed = ""
        self._selected = index
        self.refresh()
        self.post_message(self.Moved())

    def _type(self, digit: str) -> None:
        self._typed += digit
        number = int(self._typed)
        if not 1 <= number <= len(self._lines):
            self._typed = ""
            return
        self._selected = number - 1
        self.refresh()
        if number * 10 > len(self._lines):
            self.action_pick()
        else:
            self.post_message(self.HalfTyped(number))

    def _set(self, width: int) -> list[list[Row]]:
        layout = Layout(max(width, 20), self._lat15)
        digits = len(str(len(self._lines)))
        blocks = []
        for number, line in enumerate(self._lines, 1):
            reason = f"  (not now: {line.unavailable_because})" if line.unavailable_because else ""
            head = f" {number:>{digits}}  "
            parts = wrapped(layout.shown(line.label + reason), layout.width - len(head))
            blocks.append(
                [Row((head if i == 0 else " " * len(head)) + part) for i, part in enumerate(parts)]
            )
        return blocks
