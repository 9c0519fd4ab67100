"""The installed program in a real terminal: tmux on a socket of its own, 80x24, keys only."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pai_signer.faces.wording import END_OF_PAGE

ROOT: Final = Path(__file__).parents[2]
#: What ``make`` installed: the same entry point as a user's.
PROGRAM: Final = str(Path(sys.executable).with_name("pai-signer"))
_PATIENCE_S: Final = 3.0
#: A screen that has not changed for so long is drawn to its end, even on a busy machine.
_SETTLING_S: Final = 0.4
COLUMNS: Final = 80
ROWS: Final = 24

#: What a Linux console sends for its function keys, unlike every other terminal
#: (console_codes(4), ``Documentation/admin-guide/.../keymaps``: F1 is ESC [ [ A).
_CONSOLE_KEYS: Final = {f"F{n}": f"1b 5b 5b {0x40 + n:x}" for n in range(1, 6)}


class Tmux:
    """One program in one pane; ``raw`` is the file that gets every byte it writes."""

    def __init__(self, socket: Path, raw: Path, *, is_console: bool) -> None:
        self.socket = socket
        self.raw = raw
        #: Every capture, and those that were waited for and stood still.
        self.seen: list[str] = []
        self.shown: list[str] = []
        self._is_console = is_console

    def tmux(self, *arguments: str, stdin: str = "") -> str:
        """One tmux command; its output."""
        return subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", "-u", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names; under a console as a console sends them."""
        for key in keys:
            if self._is_console and key in _CONSOLE_KEYS:
                self.tmux("send-keys", "-t", "x", "-H", *_CONSOLE_KEYS[key].split())
            else:
                self.tmux("send-keys", "-t", "x", key)

    def type(self, text: str) -> None:
        """Type a text as keys; it stands in no argument list on the way."""
        self.tmux("load-buffer", "-", stdin=text)
        self.tmux("paste-buffer", "-d", "-t", "x")

    def answer(self, text: str) -> None:
        """Type a text and Enter."""
        self.type(text)
        self.press("Enter")

    def pick(self, label: str, within_s: float = 60) -> None:
        """Pick the menu line that begins with ``label`` by its number, wherever it stands."""
        deadline = time.monotonic() + within_s
        wanted = re.compile(rf"^\s*(\d+)  {re.escape(label)}.*", re.MULTILINE)
        while (line := wanted.search(shown := self.screen())) is None:
            assert time.monotonic() < deadline, f"no line {label!r}:\n{shown}"
            if "more below" in shown or "more above" in shown:
                self.press("Down")  # past the last line comes the first
            time.sleep(0.05)
        pressed_at = 0.0
        while line[0] in (shown := self.screen()):
            assert time.monotonic() < deadline, f"it was not picked:\n{shown}"
            if f"{line[1]}: Enter picks this line" in shown:
                self.press("Enter")
                self.until_gone(line[0])
            elif time.monotonic() - pressed_at > _PATIENCE_S:
                # Drawn a moment before it takes keys: a person presses again, too.
                self.press(*line[1])
                pressed_at = time.monotonic()
            time.sleep(0.05)

    def screen(self) -> str:
        """What can be seen now, kept in ``seen``."""
        shown = self.tmux("capture-pane", "-p", "-t", "x")
        self.seen.append(shown)
        return shown

    def coloured(self) -> str:
        """What can be seen now, with its colours as escape sequences."""
        return self.tmux("capture-pane", "-e", "-N", "-p", "-t", "x")

    def scrollback(self) -> str:
        """Everything that the terminal still holds."""
        return self.tmux("capture-pane", "-p", "-S", "-", "-t", "x")

    def until(self, *texts: str, within_s: float = 60) -> str:
        """Wait until the screen shows all of ``texts``."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            shown = self.screen()
            if all(text in shown for text in texts) and self.screen() == shown:
                self.shown.append(shown)
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{texts} never came:\n{shown}")

    def until_asked(self, *texts: str, within_s: float = 60) -> str:
        """Wait for a question; where its page fills the screen, ask for it by Enter (REV-1)."""
        deadline = time.monotonic() + within_s
        while True:
            shown = self.until("F1 help")
            assert time.monotonic() < deadline, f"{texts} never came:\n{shown}"
            if END_OF_PAGE in shown:
                self.press("Enter")
                self.until_gone(END_OF_PAGE)
            elif all(text in shown for text in texts):
                return self.until(*texts)

    def until_gone(self, text: str, within_s: float = 60) -> str:
        """Wait until the screen no longer shows ``text``."""
        deadline = time.monotonic() + within_s
        while text in (shown := self.screen()):
            assert time.monotonic() < deadline, f"{text} never went:\n{shown}"
            time.sleep(0.05)
        return shown

    def read_pages(self, end: str, within_s: float = 60) -> str:
        """Read on by Enter until ``end`` is shown; everything that the screens showed."""
        deadline = time.monotonic() + within_s
        read = ""
        while True:
            shown = self.until("F1 help")
            time.sleep(_SETTLING_S)
            if self.screen() != shown:
                continue  # drawn in parts: a body with the note of the page before
            read += shown
            if end in shown:
                return read
            assert time.monotonic() < deadline, f"{end!r} never came:\n{shown}"
            if "more pages" in shown or "more below" in shown or END_OF_PAGE in shown:
                self.press("Enter")
                self.until_gone(shown)

    def resize(self, columns: int, rows: int) -> None:
        """Another terminal size."""
        self.tmux("resize-window", "-t", "x", "-x", str(columns), "-y", str(rows))

    def pid(self) -> int:
        """The process in the pane."""
        return int(self.tmux("display-message", "-p", "-t", "x", "#{pane_pid}"))

    def end(self, within_s: float = 30) -> int:
        """Wait for the program's end; its exit code, as the shell saw it."""
        shown = self.until("ended with ", within_s=within_s)
        return int(shown.rpartition("ended with ")[2].split()[0])


@contextmanager
def program(
    folder: Path,
    arguments: Sequence[str],
    *,
    term: str = "tmux-256color",
    environ: Mapping[str, str] | None = None,
    size: tuple[int, int] = (COLUMNS, ROWS),
) -> Iterator[Tmux]:
    """Run ``arguments`` in a pane, with a clean environment and a private home."""
    folder.mkdir(parents=True, exist_ok=True)
    pane = Tmux(folder / "socket", folder / "raw", is_console=term == "linux")
    kept = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": term,
        "PYTHONDONTWRITEBYTECODE": "1",
        **(environ or {}),
    }
    settings = [f"{name}={value}" for name, value in kept.items()]
    run = shlex.join(["env", "-i", *settings, *arguments])
    # It waits for a line, so that not one byte of the program is missed; afterwards it says
    # the exit code, which only a person's shell would know, and keeps the pane open.
    shell = f"stty -echo; read -r _; stty echo; {run}; echo ended with $?; exec sleep 600"
    columns, rows = map(str, size)
    session = ("new-session", "-d", "-s", "x", "-x", columns, "-y", rows, "-c", str(ROOT))
    pane.tmux(*session, "sh", "-c", shell)
    try:
        pane.tmux("pipe-pane", "-t", "x", f"exec cat >> {shlex.quote(str(pane.raw))}")
        pane.press("Enter")
        yield pane
    finally:
        subprocess.run(
            ["tmux", "-S", str(pane.socket), "kill-server"], capture_output=True, check=False
        )
