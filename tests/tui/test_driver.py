"""What the terminal sends, told to the parser without a text that could not be wiped (SEC-2)."""

import os
import pty
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from textual.events import Key, Paste
from textual.message import Message

from pai_signer.faces.tui.driver import PasteByCharacter, TerminalDriver

BEGINS, ENDS = "\x1b[200~", "\x1b[201~"


def events_of(sent: str) -> list[Message]:
    parser, paste = XTermParser(), PasteByCharacter()
    return [e for char in sent for told in paste.told(char) for e in parser.feed(told)]


def keys(events: Iterable[Message]) -> list[str]:
    return [event.key for event in events if isinstance(event, Key)]


def pasted(events: Iterable[Message]) -> list[str]:
    return [event.text for event in events if isinstance(event, Paste)]


@pytest.mark.parametrize(
    ("sent", "texts", "pressed"),
    [
        ("ab\x1b[A\r", [], ["a", "b", "up", "enter"]),
        (f"a{BEGINS}hé{ENDS}b", ["h", "é", ""], ["a", "b"]),
        (f"{BEGINS}{ENDS}", [""], []),
        (f"{BEGINS}one\ntwo\x1b[Athree{ENDS}x", ["o", "n", "e", ""], ["x"]),
        (f"{BEGINS}one\r\ntwo{ENDS}{BEGINS}2{ENDS}", ["o", "n", "e", "", "2", ""], []),
        # What looks like the end of the paste, and is none.
        (f"{BEGINS}a\x1b[20b{ENDS}", ["a", "[", "2", "0", "b", ""], []),
        (f"{BEGINS}\x1b\x1b[2\x1b[201~c", [*"[2", ""], ["c"]),
        # What looks like a beginning, and is none.
        (f"\x1b[20\x1b{BEGINS}y{ENDS}", ["y", ""], None),
    ],
)
def test_a_paste_comes_one_character_at_a_time_up_to_its_first_line_end(
    sent: str, texts: list[str], pressed: list[str] | None
) -> None:
    events = events_of(sent)
    assert pasted(events) == texts
    assert pressed is None or keys(events) == pressed


@given(st.text(st.characters(exclude_characters="\x1b\0"), max_size=40), st.text("abc", max_size=5))
def test_no_event_ever_holds_more_than_one_character_of_a_paste(text: str, after: str) -> None:
    events = events_of(f"{BEGINS}{text}{ENDS}{after}")
    first_line = text.replace("\r", "\n").partition("\n")[0]
    assert "".join(pasted(events)) == first_line
    assert max(len(part) for part in pasted(events)) <= 1
    assert pasted(events)[-1] == ""
    assert keys(events) == list(after)


def test_where_the_terminal_is_gone_nobody_reads_or_waits_for_ever() -> None:
    """A writer that died with a full queue would hold the app, and reading its end a processor."""
    master, slave = pty.openpty()
    driver = object.__new__(TerminalDriver)
    driver.fileno = slave
    driver.exit_event = threading.Event()
    with Path(os.devnull).open("w") as nowhere:
        driver._writer_thread = WriterThread(nowhere)  # never started: as one that died
        for _ in range(MAX_QUEUED_WRITES):
            driver._writer_thread.write("x")
        writing = threading.Thread(target=driver._writer_thread.write, args=("y",), daemon=True)
        reading = threading.Thread(target=driver.run_input_thread, daemon=True)
        writing.start()
        reading.start()
        writing.join(0.3)
        assert writing.is_alive()
        os.close(master)
        reading.join(10)
        writing.join(10)
    os.close(slave)
    assert not reading.is_alive()
    assert not writing.is_alive()
