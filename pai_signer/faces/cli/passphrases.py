"""Reads passphrases from the terminal or from a descriptor, never into a ``str`` (SEC-2)."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError, UsageError
from pai_signer.faces import wording
from pai_signer.faces.cli.second_screen import SecondScreen, second_screen
from pai_signer.ports import Passphrases

MAX_PASSPHRASE_BYTES: Final = 1024
NAMES: Final = (
    *("minisign", "gpg", "new", "revoked"),
    *("custodian", "custodian-gpg", "custodian-2", "custodian-2-gpg"),
)
NOT_OFFERED: Final = (
    "No words are offered: this terminal could keep them. Roll dice for six or more words"
)


def from_descriptors(pairs: tuple[str, ...]) -> dict[str, Secret]:
    """Passphrases by name, from options of the form ``NAME=FD``; each is read to its newline."""
    secrets: dict[str, Secret] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in NAMES or name in secrets or not number.isdecimal():
            raise UsageError(
                "SEC-2/passphrase-fd",
                f"--passphrase-fd wants NAME=FD, each name once; got {pair!r}.",
                f"NAME is one of {', '.join(NAMES)}; FD is an open descriptor's number.",
            )
        try:
            # What is typed there would stand on the screen; where one can type, one is asked.
            if os.isatty(int(number)):
                raise UsageError(
                    "SEC-2/passphrase-fd",
                    f"Descriptor {number} is a terminal, which would show the passphrase.",
                    "Leave the option away: the program asks for it, unseen.",
                )
            secrets[name] = _read_line(int(number))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "there is no such number"
            raise UsageError(
                "SEC-2/passphrase-fd",
                f"Descriptor {number} cannot be read: {why}.",
                "Open it for the program, as in: --passphrase-fd minisign=3 3<FILE",
            ) from error
    return secrets


def from_terminal(prompt: str, *, twice: bool, new: Passphrases | None = None) -> Secret | None:
    """Ask on the controlling terminal without echo; None where there is none.

    ``twice`` asks a second time and starts again until both are the same. Where ``new`` is
    set, words are offered first, and a weak passphrase is refused with the reason.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if new is None:
            return _typed(terminal, prompt, twice=twice)
        with new.offer() as words:
            return _typed(terminal, prompt, twice=twice, new=new, words=words)
    finally:
        os.close(terminal)


def _typed(
    terminal: int,
    prompt: str,
    *,
    twice: bool,
    new: Passphrases | None = None,
    words: Secret | None = None,
) -> Secret:
    """Until what is typed is accepted, and twice the same; ``words`` are shown before each try."""
    screen = second_screen() if words is not None else None
    if words is not None and screen is None:
        _say(terminal, f"{NOT_OFFERED}.")
    while True:
        if screen is not None and words is not None:
            _show(terminal, screen, words)
        first = _ask(terminal, prompt)
        if new is not None and (why := _objection(new, first)):
            first.wipe()
            _say(terminal, why)
            continue
        if not twice:
            return first
        with _ask(terminal, "The same again") as second:
            if first.same_as(second):
                return first
        first.wipe()
        _say(terminal, "They are not the same. Start again.")


def _objection(new: Passphrases, typed: Secret) -> str:
    try:
        new.check(typed)
    except SignerError as error:
        return error.summary
    return ""


def _say(terminal: int, text: str) -> None:
    os.write(terminal, f"{text}\n".encode("ascii", "replace"))


def _show(terminal: int, screen: SecondScreen, words: Secret) -> None:
    """The words on the second screen until Enter; no ``str`` is ever made of them."""
    sys.stdout.flush()
    # Not echoed: somebody may begin to type the words here.
    with _no_echo(terminal), screen.shown(terminal):
        os.write(terminal, f"{wording.WRITE_THESE}\r\n\r\n    ".encode("ascii"))
        os.write(terminal, words.reveal())
        os.write(terminal, f"\r\n\r\n{wording.OR_YOUR_OWN}\r\n".encode("ascii"))
        os.write(terminal, b"Enter hides them; then the passphrase is typed twice. ")
        _read_line(terminal).wipe()


def _ask(terminal: int, prompt: str) -> Secret:
    sys.stdout.flush()
    os.write(terminal, f"{prompt}: ".encode("ascii", "replace"))
    with _no_echo(terminal):
        secret = _read_line(terminal)
    os.write(terminal, b"\n")
    return secret


@contextmanager
def _no_echo(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~(termios.ECHO | termios.ECHONL)
    termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _read_line(descriptor: int) -> Secret:
    """Bytes up to a newline or the end, one at a time so that nothing after it is taken."""
    # The buffer has its full size at once: growing would leave copies behind.
    buffer = bytearray(MAX_PASSPHRASE_BYTES)
    length = 0
    one = bytearray(1)
    while os.readv(descriptor, [one]) and one != b"\n":
        if length == MAX_PASSPHRASE_BYTES:
            buffer[:] = bytes(len(buffer))
            raise UsageError(
                "SEC-2/passphrase-length",
                f"The passphrase is longer than {MAX_PASSPHRASE_BYTES} bytes.",
                "Give the passphrase alone, on one line.",
            )
        buffer[length : length + 1] = one
        length += 1
    one[:] = b"\0"
    del buffer[length:]
    return Secret(buffer)
