"""Numbered prompts: pages as plain lines, questions by number, progress as lines.

Works on a serial line, with a screen reader and from a script: no cursor
movement, no colour but for QR codes, nothing is redrawn. Pages go to ``out``, which is standard
output, or standard error where standard output is kept for ``--json``.
"""

import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TextIO

from pai_signer.domain.page import Code, Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.code_rows import TRUE_COLOUR, code_look, drawn_page, typed_page
from pai_signer.faces.rows import Layout, Row
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Automatic,
    Choice,
    Confirm,
    Conversation,
    Proceed,
    Question,
    SecretText,
    Step,
)
from pai_signer.workflows.script import Move

#: Seconds between two lines of progress: enough to see that it goes on at 9600 baud.
PROGRESS_INTERVAL_S: Final = 5.0
POLL_INTERVAL_S: Final = 0.1
#: Black on white, as SGR parameters (ECMA-48, 8.3.117; ISO 8613-6 for 24 bits). Among 16 colours
#: a theme may make the bright ones anything; 30 on 47 is dark on light in all that are known.
_TRUE: Final = "38;2;0;0;0;48;2;255;255;255"
_SIXTEEN: Final = "30;47"
_MOVES: Final = {":b": Move.BACK, ":d": Move.DISCARD, ":x": Move.NOTE}


@dataclass
class Prompts:
    """The ``Speaker`` of the command line."""

    out: TextIO
    is_rehearsal: bool = False

    def __post_init__(self) -> None:
        columns = shutil.get_terminal_size((80, 24)).columns
        self._layout = Layout(width=max(40, min(columns, 100)), lat15=False)
        self._listening = _somebody_is_there()
        self._is_ceremony = False
        self.codes = code_look(os.environ, is_terminal=self.out.isatty())

    # --- showing ----------------------------------------------------------------------------

    def show(
        self, conversation: Conversation[Any], step: Step[Any], pages: tuple[Page, ...]
    ) -> None:
        """Print the pages of a step one after the other; a person goes on by Enter."""
        self._is_ceremony = conversation.is_ceremony
        if conversation.resumed:
            conversation.resumed = False
            self.say(f"Resuming: {conversation.workflow.title}")
        for number, page in enumerate(pages, 1):
            self.page(page)
            if self._listening and number < len(pages):
                self._read(f"[page {number} of {len(pages)}; Enter goes on] ")
        if step.commit_point:
            self.say(wording.NO_WAY_BACK)

    def page(self, page: Page) -> None:
        """Print one page."""
        if page.code is not None:
            self._code(page, page.code)
            return
        self._rehearsal_mark()
        for row in self._layout.pages((page,)):
            self.out.write(row.text + "\n")
        self.out.write("\n")
        self.out.flush()

    def _code(self, page: Page, code: Code) -> None:
        """A QR code so that it stands whole above the next prompt; else what to type (EXP-4)."""
        columns, rows = shutil.get_terminal_size((80, 24))
        height = rows - 1 if self.out.isatty() else sys.maxsize
        layout = Layout(max(columns, 40), lat15=not self.codes.half_blocks)
        drawn = drawn_page(page, code, layout, height, self.codes)
        for row in drawn or (*typed_page(page, code, self._layout, self.codes), Row("")):
            self.out.write(self._painted(row) + "\n")
        self.out.flush()

    def _painted(self, row: Row) -> str:
        if not (row.code_cells and self.codes.has_colours):
            return row.text
        black_on_white = _TRUE if os.environ.get("COLORTERM") in TRUE_COLOUR else _SIXTEEN
        beside = row.text[row.code_cells :]
        return f"\x1b[{black_on_white}m{row.text[: row.code_cells]}\x1b[0m{beside}"

    def say(self, text: str) -> None:
        """Print one sentence."""
        for row in self._layout.text(text):
            self.out.write(row.text + "\n")
        self.out.flush()

    def _rehearsal_mark(self) -> None:
        if self.is_rehearsal:
            self.out.write(f"{wording.REHEARSAL}\n")

    # --- asking -----------------------------------------------------------------------------

    def ask(self, question: Question) -> Answer | Move | None:
        """Put the question by number; None where nobody is there."""
        if isinstance(question, SecretText):
            from pai_signer.faces.cli import passphrases  # noqa: PLC0415 - a terminal's alone

            return passphrases.from_terminal(
                question.prompt, twice=question.twice, new=question.new
            )
        if not self._listening:
            return None
        options = _options(question)
        for number, (_, label, unavailable) in enumerate(options, 1):
            why = f" (not now: {unavailable})" if unavailable else ""
            self.say(f"  {number}. {label}{why}")
        note = "; :x note an exception" if self._is_ceremony else ""
        said = self._read(f"{question.prompt} [{_hint(question)}{note}]: ")
        if said is None:
            self._listening = False
            return None
        if said in _MOVES:
            return _MOVES[said]
        if options and said.isdecimal() and 1 <= int(said) <= len(options):
            return options[int(said) - 1][0]
        if not said and question.default is not None:
            return question.default
        return "" if isinstance(question, Proceed) else said

    def asks_again(self, error: SignerError) -> bool:
        """Tell a person at a terminal what was wrong; a script of answers is not asked twice."""
        if not (self._listening and sys.stdin.isatty()):
            return False
        self.page(wording.error_page(error))
        return True

    def _read(self, prompt: str) -> str | None:
        for row in self._layout.text(prompt):
            self.out.write(row.text + " ")
        self.out.flush()
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    # --- working ----------------------------------------------------------------------------

    @contextmanager
    def working(self, step: Step[Any], progress: Progress) -> Iterator[None]:
        """Print lines as they come and, now and then, how far it is; Ctrl+C cancels."""
        del step
        with self.following(progress):
            yield

    @contextmanager
    def following(self, progress: Progress) -> Iterator[None]:
        """Print what ``progress`` says while the block runs."""
        finished = threading.Event()
        printer = threading.Thread(target=self._follow, args=(progress, finished), daemon=True)
        printer.start()
        try:
            yield
        finally:
            finished.set()
            printer.join()

    def _follow(self, progress: Progress, finished: threading.Event) -> None:
        printed = 0
        started = next_at = time.monotonic()
        next_at += PROGRESS_INTERVAL_S
        while True:
            is_last = finished.wait(POLL_INTERVAL_S)
            snapshot = progress.snapshot()
            self._lines(snapshot.lines[printed:])
            printed = len(snapshot.lines)
            if is_last:
                return
            if time.monotonic() >= next_at and snapshot.bars:
                elapsed_s = time.monotonic() - started
                for row in wording.progress_rows(snapshot, elapsed_s, self._layout):
                    self.out.write(row.text + "\n")
                self.out.flush()
                next_at += PROGRESS_INTERVAL_S

    def _lines(self, lines: tuple[Line, ...]) -> None:
        for row in self._layout.lines(lines):
            self.out.write(row.text + "\n")
        self.out.flush()


def _options(question: Question) -> list[tuple[str, str, str]]:
    match question:
        case Choice(options=options):
            return [(o.value, o.label, o.unavailable_because) for o in options]
        case Confirm():
            return [(YES, "yes", ""), (NO, "no", "")]
        case _:
            return []


def _hint(question: Question) -> str:
    match question:
        case Choice() | Confirm():
            return "number; :b back, :d discard"
        case Proceed() | Automatic():
            return "Enter; :b back, :d discard"
        case _:
            return ":b back, :d discard"


def _somebody_is_there() -> bool:
    """A terminal, or a pipe or file with a script of answers; not /dev/null or a closed one."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return sys.stdin.isatty() or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
