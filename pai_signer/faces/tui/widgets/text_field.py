"""One line of typed text, not a secret; sanitised as it is drawn, never copied out."""

from textual.content import Content
from textual.events import Key, Paste
from textual.message import Message
from textual.widget import Widget

from pai_signer.faces.rows import shown

MAX_CHARACTERS = 4096


class TextField(Widget, can_focus=True):
    """Posts ``Submitted`` on Enter and ``Edited`` on every change."""

    class Submitted(Message):
        """Enter was pressed."""

        def __init__(self, value: str) -> None:
            self.value = value
            super().__init__()

    class Edited(Message):
        """The text changed."""

        def __init__(self, value: str) -> None:
            self.value = value
            super().__init__()

    def __init__(self, *, lat15: bool) -> None:
        super().__init__()
        self._lat15 = lat15
        self._before = ""
        self._after = ""

    @property
    def value(self) -> str:
        """What stands in the field."""
        return self._before + self._after

    def on_key(self, event: Key) -> None:
        """Edit; keys that mean nothing here go on to the screen."""
        match event.key:
            case "enter":
                self.post_message(self.Submitted(self.value))
            case "backspace" | "ctrl+h":
                self._edit(self._before[:-1], self._after)
            case "delete":
                self._edit(self._before, self._after[1:])
            case "left":
                self._edit(self._before[:-1], self._before[-1:] + self._after)
            case "right":
                self._edit(self._before + self._after[:1], self._after[1:])
            case "home":
                self._edit("", self.value)
            case "end":
                self._edit(self.value, "")
            case "ctrl+u":
                self._edit("", self._after)
            case _ if event.character and event.is_printable:
                self._insert(event.character)
            case _:
                return
        event.stop()

    def on_paste(self, event: Paste) -> None:
        """Take the first line of what was pasted, without control characters."""
        event.stop()
        line = event.text.splitlines()[0] if event.text else ""
        self._insert("".join(char for char in line if char.isprintable()))

    def render(self) -> Content:
        """The text around the cursor."""
        before = shown(self._before, lat15=self._lat15)
        after = shown(self._after, lat15=self._lat15)
        width = max(self.content_size.width, 4)
        before = before[-(width - 2) :]
        cursor, after = (after[:1] or " "), after[1:]
        cursor_style = "reverse" if self.has_focus else ""
        return Content.assemble(before, (cursor, cursor_style), after[: width - len(before) - 1])

    def _insert(self, text: str) -> None:
        if len(self.value) + len(text) <= MAX_CHARACTERS:
            self._edit(self._before + text, self._after)

    def _edit(self, before: str, after: str) -> None:
        changed = before + after != self.value
        self._before, self._after = before, after
        self.refresh()
        if changed:
            self.post_message(self.Edited(self.value))
