"""Moves in the app that several tests make, in a real terminal."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pai_signer.errors import EXIT_DONE
from tests.keys import WEAK_PASSPHRASE
from tests.tui.tmux import Tmux

#: The app over a vault with weak keys.
WEAK_APP: Final = [sys.executable, "-m", "tests.tui.real_app"]
PHRASE: Final = WEAK_PASSPHRASE.decode()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A short path: sockets of tmux and of GnuPG have to fit into 108 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="pai-tui-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def choose_folder(app: Tmux, asked: str = "Where are the downloaded files?") -> None:
    """In the picker: the last line."""
    app.until(asked)
    app.pick("a folder (type its path)")
    app.until("path of the folder")


def type_folder(app: Tmux, path: str, asked: str = "Where are the downloaded files?") -> None:
    """In the picker: a folder, by its path."""
    choose_folder(app, asked)
    app.answer(path)


def to_the_signing(app: Tmux) -> None:
    """From Home through review and passphrases, with reasons for what a test machine lacks."""
    read_on_to_the_passphrases(app)
    app.answer(PHRASE)
    app.until("Passphrase of the OpenPGP key")
    app.answer(PHRASE)


def read_on_to_the_passphrases(app: Tmux) -> None:
    """From Home through the review to the question for the first passphrase."""
    app.pick("Review and sign: v0.2.0")
    app.until("Does a watch or a phone")
    app.press("y")
    while "Go on to the review?" not in (shown := app.until_asked("Rules 2/7", "POL-")):
        asked = re.search(r"POL-\d \([^)]*\) says no", shown)
        if asked is not None:
            app.answer("a test machine")
            app.until_gone(asked[0])
    app.press("Enter")
    app.until("Review 3/7", "page 1 of")
    app.read_pages("This is everything that will be signed.")
    app.press("Enter")
    app.until("Type v0.2.0 to sign it")
    app.answer("v0.2.0")
    app.until("Passphrase of the minisign key")


def leave(app: Tmux) -> None:
    """F10, asked; a success."""
    app.press("F10")
    app.until("Leave pai-signer?")
    app.press("y")
    assert app.end() == EXIT_DONE


def app_process(app: Tmux) -> int:
    """The Python process below the pane's shell."""
    shell = app.pid()
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    return int(children[0])
