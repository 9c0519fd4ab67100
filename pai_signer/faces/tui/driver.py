"""The terminal driver: Textual's own, made to survive bare consoles and serial lines.

And to leave no passphrase behind: Textual reads a burst of keys into one ``bytes`` and decodes it
into one ``str``, and puts a paste together again; none of these can be wiped, and they were found
in memory after a release was signed. Here no text is ever longer than one character (SEC-2).
"""

import os
import select
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Final

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

_READ_BYTES: Final = 4096
_SELECT_S: Final = 0.1
# Bracketed paste, as xterm's ctlseqs.txt has it.
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"


class PasteByCharacter:
    """What to tell Textual's parser, so that it makes one ``Paste`` of each pasted character.

    Only the first line of a paste is passed on, since no field takes more; its end is an empty
    ``Paste``.
    """

    def __init__(self) -> None:
        self._inside = False
        self._line_is_over = False
        # So many characters of the mark that is waited for were seen last.
        self._matched = 0

    def told(self, char: str) -> Iterator[str]:
        """What the parser is told because of ``char``."""
        mark = _PASTE_ENDS if self._inside else _PASTE_BEGINS
        before = self._matched
        self._matched = before + 1 if char == mark[before] else int(char == mark[0])
        if self._matched == len(mark):
            yield mark if self._inside else char
            self._inside = not self._inside
            self._matched = 0
            self._line_is_over = False
        elif not self._inside:
            yield char
        elif self._matched != before + 1:
            # What looked like the end was none; the escape character itself says nothing.
            yield from self._pasted(mark[1:before] + ("" if self._matched else char))

    def _pasted(self, text: str) -> Iterator[str]:
        for char in text:
            self._line_is_over = self._line_is_over or char in "\r\n"
            if not self._line_is_over:
                yield f"{char}{_PASTE_ENDS}{_PASTE_BEGINS}"


class TerminalDriver(LinuxDriver):
    """Speaks only what every terminal understands, and never dies of a bad byte."""

    def write(self, data: str) -> None:
        """Write, unless the terminal went away: the writer's queue would block for ever."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)

    def run_input_thread(self) -> None:
        """Read keys; a byte that is not UTF-8, noise on a serial line, is dropped.

        As Textual's own, but for one buffer that is wiped and one character at a time.
        """
        parser, paste = XTermParser(), PasteByCharacter()
        decoder = getincrementaldecoder("utf-8")()
        buffer = bytearray(_READ_BYTES)
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            if not poll.poll(_SELECT_S * 1000):
                length = 0
            elif not (length := self._read_into(buffer)):
                self._give_up_writing()
                break
            for at in range(length):
                try:
                    char = decoder.decode(buffer[at : at + 1])
                except UnicodeDecodeError:
                    decoder.reset()
                    continue
                for told in paste.told(char) if char else ():
                    for event in parser.feed(told):
                        self.process_message(event)
            buffer[:length] = bytes(length)
            for event in parser.tick():
                self.process_message(event)

    def _read_into(self, buffer: bytearray) -> int:
        """How many bytes came; none where the terminal is gone."""
        try:
            return os.readv(self.fileno, [buffer])
        except OSError:
            return 0

    def _give_up_writing(self) -> None:
        """Let nobody wait for room in the writer's queue: it died of the same hang-up, or will."""
        if self._writer_thread is not None:
            queue = self._writer_thread._queue
            with queue.mutex:
                queue.maxsize = sys.maxsize
                queue.not_full.notify_all()

    @property
    def is_hung_up(self) -> bool:
        """Whether the other end of the terminal is gone; Textual would read its end for ever."""
        poll = select.poll()
        poll.register(self.fileno, 0)  # hang-up and error are always reported
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))

    def stop_application_mode(self) -> None:
        """Clear the screen first: a console without an alternate one would keep the text."""
        self.write("\x1b[H\x1b[2J")
        super().stop_application_mode()

    def _request_terminal_sync_mode_support(self) -> None:
        """Not asked: a Linux console prints part of the question."""

    def _query_in_band_window_resize(self) -> None:
        """Not asked, for the same reason; SIGWINCH tells of a new size."""

    def _get_terminal_size(self) -> tuple[int, int]:
        # The real terminal, not COLUMNS and LINES, which may be stale.
        try:
            size = os.get_terminal_size(self.fileno)
        except OSError:
            return super()._get_terminal_size()
        return (size.columns or 80, size.lines or 25)
