"""A person at a terminal: waits for a prompt, then types."""

import os
import pty
import re
import select
import signal
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.program import NO_NETWORK, ROOT, WEAK

TIMEOUT_S = 60.0


@dataclass
class Terminal:
    """A person at a terminal: waits for a prompt, then types."""

    descriptor: int
    process: int
    seen: str = ""
    _read_to: int = 0

    def expect(self, text: str) -> str:
        """Wait until ``text`` appears after what was expected before."""
        deadline = time.monotonic() + TIMEOUT_S
        pattern = re.compile(r"\s+".join(re.escape(word) for word in text.split()))
        while True:
            if match := pattern.search(self.seen, self._read_to):
                before, self._read_to = self._read_to, match.end()
                return " ".join(self.seen[before : match.end()].split())
            assert time.monotonic() < deadline, f"{text!r} is not in:\n{self.seen}"
            ready, _, _ = select.select([self.descriptor], [], [], 1)
            if ready:
                try:
                    data = os.read(self.descriptor, 65536)
                except OSError:
                    data = b""
                assert data, f"ended before {text!r}:\n{self.seen}"
                self.seen += data.decode()

    def type(self, line: str | bytes) -> None:
        os.write(self.descriptor, line.encode() if isinstance(line, str) else line)
        os.write(self.descriptor, b"\n")

    def passphrase(self, prompt: str, phrase: bytes) -> None:
        """Type a passphrase once the terminal has stopped to echo."""
        self.expect(prompt)
        deadline = time.monotonic() + TIMEOUT_S
        while termios.tcgetattr(self.descriptor)[3] & termios.ECHO:
            assert time.monotonic() < deadline, "the terminal echoes"
            time.sleep(0.01)
        self.type(phrase)

    def interrupt(self) -> None:
        """Ctrl-C, once the program sleeps over its question: nobody types within microseconds.

        A signal between Python's last look for one and the read itself waits for the next key.
        """
        deadline = time.monotonic() + TIMEOUT_S
        stat = Path(f"/proc/{self.process}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < deadline, "the program never waits"
            time.sleep(0.01)
        os.write(self.descriptor, b"\x03")

    def end(self) -> int:
        """The exit code, once it ended."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.descriptor], [], [], 0.1)
            if ready:
                try:
                    data = os.read(self.descriptor, 65536)
                except OSError:
                    data = b""
                if not data:
                    break
                self.seen += data.decode()
        _, status = os.waitpid(self.process, 0)
        self.process = 0
        return os.waitstatus_to_exitcode(status)


@contextmanager
def terminal(
    vault: Path, *arguments: str, term: str = "vt100", command: Sequence[str] = WEAK
) -> Iterator[Terminal]:
    """The program on a terminal of its own."""
    command = [*NO_NETWORK, *command, "--vault", str(vault), *arguments]
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": term}
    with on_terminal(command, ROOT, environment) as person:
        yield person


@contextmanager
def on_terminal(
    command: Sequence[str], directory: Path, environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """Any command on a terminal of its own, with ``environment`` beside the test's."""
    process, descriptor = pty.fork()
    if process == 0:
        os.chdir(directory)
        os.execvpe(command[0], list(command), {**os.environ, **environment})
    person = Terminal(descriptor, process)
    try:
        yield person
    finally:
        if person.process:
            os.kill(person.process, signal.SIGKILL)
            os.waitpid(person.process, 0)
        os.close(descriptor)


def alone_to_the_passphrase(person: Terminal) -> None:
    """Through the frame of a ceremony by Enter alone, as a lone maintainer goes."""
    for question in ("Begin the ceremony?", "second maintainer", "witness", "on the table?"):
        person.expect(f"{question}")
        person.type("")
    for question in ("Go on?", "your own clock", "your own clock", "Go on?"):
        person.expect(question)
        person.type("")
