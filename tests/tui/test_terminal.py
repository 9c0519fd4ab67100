"""The app on a real terminal: crash, signals, consoles (SEC-2, FACE-2)."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pai_signer.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_DONE, EXIT_USAGE
from pai_signer.faces.rows import CONSOLE_EXTRAS
from tests.tui.fake_desk import CANARY
from tests.tui.marks import needs_tmux
from tests.tui.tmux import program

ROOT = Path(__file__).parents[2]
LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


@dataclass
class Terminal:
    """A process under a pseudo terminal of 80x24."""

    process: subprocess.Popen[bytes]
    master: int
    output: bytes = b""

    def until(self, text: bytes, within_s: float = 15) -> bytes:
        """Read until the process wrote ``text``."""
        deadline = time.monotonic() + within_s
        while text not in self.output and time.monotonic() < deadline:
            self._read(0.1)
        assert text in self.output, self.output[-2000:]
        return self.output

    def end(self, within_s: float = 15) -> int:
        """Wait for the end; everything written is in ``output``."""
        deadline = time.monotonic() + within_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        self._read(0.3)
        assert self.process.returncode is not None, "it did not end"
        return self.process.returncode

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def _read(self, timeout_s: float) -> None:
        while select.select([self.master], [], [], timeout_s)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self.output += data
            timeout_s = 0


@contextmanager
def terminal(*arguments: str, **environ: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=slave, check=True)
    kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/tui/fake_desk.py"), *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={"TERM": "linux", **kept, **environ},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def test_a_crash_prints_no_value_and_no_local_variable() -> None:
    with terminal("--crash") as it:
        assert it.end() == EXIT_BUG
    assert b"SEC-2/crash" in it.output
    assert b"RuntimeError" in it.output
    assert LEFT_ALTERNATE_SCREEN in it.output
    assert CANARY.encode() not in it.output
    assert b"locals" not in it.output
    assert b"Traceback" not in it.output
    assert b"in the message" not in it.output
    assert b"calls: ['lock', 'close'], exit code: 1" in it.output


def test_a_crash_in_the_thread_of_a_step_prints_no_value_either() -> None:
    with terminal("--crash-step") as it:
        it.until(b"Something that fails")
        it.type(b"1")
        it.until(b"Which medium")
        it.type(b"1")
        assert it.end() == EXIT_BUG
    assert b"SEC-2/crash" in it.output
    assert CANARY.encode() not in it.output
    assert b"locals" not in it.output
    assert b"Traceback" not in it.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_signals_leave_the_screen_and_wipe_secrets(number: signal.Signals) -> None:
    with terminal() as it:
        it.until(b"Import and sign")
        it.process.send_signal(number)
        assert it.end() == EXIT_CANCELLED
    assert it.output.index(LEFT_ALTERNATE_SCREEN) < it.output.index(b"calls: ['lock', 'close']")


def test_a_terminal_that_goes_away_ends_the_app() -> None:
    with terminal() as it:
        it.until(b"Import and sign")
        os.close(it.master)
        try:
            assert it.process.wait(15) != EXIT_DONE
        finally:
            it.master = os.open(os.devnull, os.O_RDONLY)


def test_without_a_terminal_the_app_says_so_and_does_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/tui/fake_desk.py")],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        timeout=30,
    )
    assert done.returncode == EXIT_USAGE
    assert b"FACE-2/terminal" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"calls: ['lock', 'close']" in done.stdout


def test_leaving_by_keys_ends_with_success() -> None:
    with terminal() as it:
        it.until(b"Import and sign")
        it.type(b"\x11")
        it.until(b"Leave pai-signer?")
        it.type(b"y")
        assert it.end() == EXIT_DONE


def test_a_byte_that_is_not_utf8_is_dropped_and_the_app_lives() -> None:
    with terminal() as it:
        it.until(b"Import and sign")
        it.type(b"\xff\xfe")
        time.sleep(0.3)
        it.type(b"\x11")
        it.until(b"Leave pai-signer?")
        it.type(b"y")
        assert it.end() == EXIT_DONE


def test_variables_of_textual_neither_leak_nor_inject(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with terminal(
        TEXTUAL_LOG=str(log),
        TEXTUAL_DEBUG="1",
        TEXTUAL_PRESS="f10,y",
        TEXTUAL_DRIVER="os:system",
        TEXTUAL_SCREENSHOT="1",
        TEXTUAL_SCREENSHOT_LOCATION=str(tmp_path),
        TEXTUAL="debug,devtools",
        TEXTUAL_SHOW_RETURN="1",
    ) as it:
        it.until(b"Import and sign")
        time.sleep(1.5)
        assert it.process.poll() is None
        it.process.terminate()
        it.end()
    assert list(tmp_path.iterdir()) == []
    assert b"The app returned" not in it.output


def test_nothing_is_asked_of_a_console_that_it_would_print() -> None:
    with terminal() as it:
        it.until(b"Import and sign")
        it.process.terminate()
        it.end()
    assert b"$p" not in it.output  # mode queries: a Linux console shows the "p"
    assert b"\x1b[>" not in it.output.replace(b"\x1b[>4", b"")  # the kitty key protocol
    assert b"\x1b[?1000h" not in it.output  # no mouse
    assert b"\x1b]" not in it.output  # no title, no clipboard, no links


@needs_tmux
@pytest.mark.parametrize("no_color", [False, True])
def test_from_home_to_a_question_in_tmux(no_color: bool, room: Path) -> None:
    environ = {"NO_COLOR": "1"} if no_color else {}
    fake = [sys.executable, "-m", "tests.tui.fake_desk"]
    with program(room, fake, term="linux", environ=environ) as app:
        shown = app.until("Import and sign")
        app.press("1")
        shown += app.until("Which medium")
        app.press("1")
        shown += app.until("Files on the medium")
        coloured = app.coloured()
        app.press("F2")
        shown += app.until("20 of 20")
    for char in set(shown) - CONSOLE_EXTRAS - frozenset("┌┐└┘\n"):
        assert char.encode("iso8859-15")
    assert all(len(row) <= 80 for row in shown.split("\n"))
    has_colour = any(f"\x1b[{code}m" in coloured for code in range(30, 38))
    assert has_colour is not no_color
