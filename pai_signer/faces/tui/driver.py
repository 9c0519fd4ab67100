"""The terminal driver: Textual's own, made to survive bare consoles and serial lines."""

import os
import select

from textual.drivers.linux_driver import LinuxDriver


class TerminalDriver(LinuxDriver):
    """Speaks only what every terminal understands, and never dies of a bad byte."""

    def write(self, data: str) -> None:
        """Write, unless the terminal went away: the writer's queue would block for ever."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)

    def run_input_thread(self) -> None:
        """Read keys; a byte that is not UTF-8, noise on a serial line, is dropped."""
        while True:
            try:
                super().run_input_thread()
            except UnicodeDecodeError:
                continue
            return

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
