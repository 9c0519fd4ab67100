"""An offered passphrase, on the screen only while its question is open (KEY-1, SEC-2)."""

from collections.abc import Callable

from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from pai_signer.domain.secret import Secret


class OfferedWords(Widget):
    """One row of words to write on paper.

    Drawn as one segment for each character: Textual and Rich keep the texts of segments in
    caches that nobody can wipe, and a single letter in there tells nothing.
    """

    def __init__(self, draw: Callable[[], Secret]) -> None:
        """``draw`` is called once the widget is on the screen, and no sooner."""
        super().__init__()
        self._draw_words = draw
        self._words = Secret(bytearray())

    def on_mount(self) -> None:
        """Draw the words."""
        self._words = self._draw_words()
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row."""
        return 1

    def render_line(self, y: int) -> Strip:
        """The words, or nothing once they are wiped."""
        buffer = self._words.reveal() if y == 0 else b""
        return Strip([Segment(chr(byte), self.rich_style) for byte in buffer])

    def wipe(self) -> None:
        """Overwrite the words and take them off the screen."""
        self._words.wipe()
        self.refresh()

    def on_unmount(self) -> None:
        """Nothing outlives the question."""
        self._words.wipe()
