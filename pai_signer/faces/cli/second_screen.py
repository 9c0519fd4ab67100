"""A place on the terminal for words that no scrollback may keep (SEC-2)."""

import curses
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

#: Delays for terminals of old, as terminfo(5) writes them.
_PADDING: Final = re.compile(rb"\$<[0-9.]+[*/]*>")


@dataclass(frozen=True)
class SecondScreen:
    """The bytes that open it, empty, and those that clear and close it."""

    opens: bytes
    closes: bytes

    @contextmanager
    def shown(self, terminal: int) -> Iterator[None]:
        """Open it for the block, and leave nothing of it behind, whatever happens."""
        os.write(terminal, self.opens)
        try:
            yield
        finally:
            os.write(terminal, self.closes)


def second_screen() -> SecondScreen | None:
    """What terminfo(5) knows of it; None where there is none, and so no place for a secret.

    The kernel's own console has one screen only. It keeps no scrollback of what is
    overwritten in place, and ``E3`` clears what had scrolled up (console_codes(4)).
    """
    try:
        curses.setupterm(fd=sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (curses.error, OSError, ValueError):
        return None
    clear, enter, leave, clear_saved = map(_capability, ("clear", "smcup", "rmcup", "E3"))
    if clear and enter and leave:
        return SecondScreen(enter + clear, clear + leave)
    if clear and clear_saved:
        return SecondScreen(clear, clear + clear_saved)
    return None


def _capability(name: str) -> bytes:
    return _PADDING.sub(b"", curses.tigetstr(name) or b"")
