"""The installed app in a real terminal, from Home to the exported folder, by keyboard alone.

A real rehearsal vault with keys at stock strength, three kinds of terminal, stock
tools as judges, and a passphrase that must turn up nowhere, not in the app's memory
either (FACE-1, FACE-2, FACE-5, SEC-2, SEC-4). One of them is traced: no process of it
opens an internet socket (SEC-1).
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.faces.rows import CONSOLE_EXTRAS, cells
from tests.tracing import assert_local, needs_strace, read_trace, tracing
from tests.tui.evidence import files_with, forms, process_table
from tests.tui.marks import needs_tmux
from tests.tui.moves import app_process, leave, short_folder
from tests.tui.tmux import COLUMNS, PROGRAM, ROWS, Tmux, program
from tests.watching import copies_in_memory

pytestmark = needs_tmux

#: The reason that is typed where a practice machine cannot fulfil a rule.
WHY: Final = "this is a rehearsal"
FRAME: Final = frozenset("┌┐└┘")
MODES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "256 colours": ("tmux-256color", {}),
    "Linux console": ("linux", {}),
    "no colour": ("tmux-256color", {"NO_COLOR": "1"}),
}
#: The one that strace looks at; the memory of the others is searched.
TRACED: Final = "no colour"


@dataclass(frozen=True)
class Keyed:
    """A rehearsal folder with keys, made in the app, and the canaries that open them."""

    folder: Path
    minisign: str
    gpg: str


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """One folder for all modes, as the keys in it are."""
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def keyed(room: Path) -> Keyed:
    """Generate both keys at stock strength, once for all modes."""
    made = Keyed(room / "keyed", a_strong_canary(), a_strong_canary())
    offered = []
    with (
        process_table(made.minisign, made.gpg) as sampled,
        program(room / "k", [PROGRAM, "rehearse", "--dir", str(made.folder)]) as app,
    ):
        app.until("minisign key  none yet", "nothing to sign yet", "Media", " UTC")
        app.pick("Ceremonies")
        app.pick("Generate keys")
        begin_alone(app)
        app.until("What will be made", "Go on?")
        app.press("Enter")
        for system, phrase in (("minisign", made.minisign), ("gpg", made.gpg)):
            shown = app.until(f"Passphrase for the new {system} key", "Write these words", "Type")
            offered += re.findall(r"^ +((?:[a-z-]+ ){5}[a-z-]+) *$", shown, re.MULTILINE)
            app.answer(phrase)
            app.until("Type the same passphrase once more.")
            app.answer(phrase)
        for made_now in ("minisign key", "OpenPGP key", "superseded.asc"):
            app.until(made_now, "[OK]", "Enter go on", within_s=120)
            app.press("Enter")
        for compared in ("minisign public key, as heard", "OpenPGP fingerprint, as heard"):
            app.until(compared)
            app.press("Enter")
        for made_now in ("the registry is signed", "transcript, SHA-256"):
            app.until(made_now, "[OK]", "Enter go on", within_s=120)
            app.press("Enter")
        app.until("Keys", "public key", "key revocations DEST", "Done.")
        app.press("Enter")
        app.until("Ceremonies", "The registry, serial 2", "Esc back")
        app.press("Escape")
        app.until("rehearsal, rotate by", "not carried out yet", "F10 leave")
        check_memory(app_process(app), made)
        leave(app)
        check_screens(app, is_console=False)
        check_no_canary(app, made)
    assert "gpg" in sampled.names
    assert sampled.leaks == []
    assert files_with(made.folder, made.minisign) == files_with(made.folder, made.gpg) == []
    assert len(offered) == 2
    assert [path for words in offered for path in files_with(made.folder, words)] == []
    return made


def a_strong_canary() -> str:
    """A passphrase as the program takes it: six random words."""
    return WordListPassphrases().offer().reveal().decode()


def begin_alone(app: Tmux) -> None:
    """Through the frame of a ceremony, as a lone maintainer on a practice machine goes."""
    for question in ("Begin the ceremony?", "Name of the second maintainer", "Name of the witness"):
        app.until(question)
        app.press("Enter")
    app.until("Is all of it on the table?")
    app.press("y")
    shown = app.until("Before the first step", "free space", "go on")
    if "Why go on all the same?" in shown:
        app.answer(WHY)
    else:
        app.press("Enter")
    for whose in ("your own clock", "second maintainer: date and time"):
        app.until(whose)
        app.press("Enter")


@pytest.mark.parametrize(
    "mode", [pytest.param(m, marks=needs_strace) if m == TRACED else m for m in MODES]
)
def test_the_whole_job_by_keyboard(mode: str, room: Path, keyed: Keyed) -> None:
    is_traced = mode == TRACED
    term, environ = MODES[mode]
    home = room / term[:1] / "-".join(environ)
    folder = home / "r"
    shutil.copytree(keyed.folder, folder, symlinks=True)
    here = Keyed(folder, keyed.minisign, keyed.gpg)
    log = room / "trace"
    command = [*(tracing(log) if is_traced else ()), PROGRAM, "rehearse", "--dir", str(folder)]
    with (
        process_table(keyed.minisign, keyed.gpg) as sampled,
        program(home, command, term=term, environ=environ) as app,
    ):
        app.until("rehearsal, rotate by", "Import a release from a medium", " UTC")
        import_release(app)
        app.pick("Review and sign: v0.2.0")
        confirm_and_waive(app)
        read_the_review(app)
        lock_and_unlock(app)
        # The lock ends the sitting: clock, rules and review come again.
        confirm_clock(app)
        app.until("Go on to the review?", "[WAIVED]")
        app.press("Enter")
        read_the_review(app)
        app.press("Enter")
        sign(app, here)
        export(app)
        coloured = app.tmux("capture-pane", "-e", "-p", "-t", "x")
        journal_checks_and_help(app)
        if not is_traced:
            check_memory(app_process(app), here)
        leave(app)
        check_screens(app, is_console=term == "linux")
        check_no_canary(app, here)
    if is_traced:
        assert_local(read_trace(log), "git", "gpg", "gpg-agent", "gpgconf", "lsblk", "prlimit")
    assert "gpg" in sampled.names
    assert sampled.leaks == []
    assert files_with(folder, keyed.minisign) == files_with(folder, keyed.gpg) == []
    has_colour = re.search(r"\x1b\[(3[0-7]|38;[25];[0-9;]+)m", coloured) is not None
    assert has_colour is (not environ)
    judge(folder, home / "judge")


def import_release(app: Tmux) -> None:
    """From Home through every page of the import, and back to Home."""
    app.pick("Import a release from a medium")
    app.until("Where are the downloaded files?", "practice-uploads")
    app.pick("practice-downloads")
    app.until("Found in", "pai-0.2.0-arm64.iso", "practice.bundle")
    app.until_asked("Read these files?")
    app.press("Enter")
    app.until("Commit or branch to tag")
    app.press("Enter")
    app.until("Is there a second, independent source")
    app.press("1")
    for page in range(1, 7):
        app.until(f"page {page} of 7", "There are more pages.")
        app.press("Enter")
    app.until("page 7 of 7", "Imported v0.2.0", "Done.")
    app.press("Enter")


def confirm_and_waive(app: Tmux) -> None:
    """The clock and the rules; a practice machine has no custody, and perhaps a network."""
    confirm_clock(app)
    while "Go on to the review?" not in (shown := app.until_asked("Rules 2/7", "POL-")):
        asked = re.search(r"POL-\d \([^)]*\) says no", shown)
        if asked is not None:
            app.answer(WHY)
            app.until_gone(asked[0])
    assert f"waived because: {WHY}" in shown
    app.press("Enter")


def confirm_clock(app: Tmux) -> None:
    """Yes, the clock is right."""
    app.until("Does a watch or a phone say the same")
    app.press("y")


def read_the_review(app: Tmux, pages: int = 10) -> None:
    """Every page; nothing but reading on is offered before the last."""
    for page in range(1, pages):
        shown = app.until(f"page {page} of {pages}", "There are more pages.")
        assert "This is everything" not in shown
        app.press("Enter")
    app.until_asked(f"page {pages} of {pages}", "This is everything that will be signed.")


def lock_and_unlock(app: Tmux) -> None:
    """Nothing but Enter opens the lock, and what it hides cannot be read meanwhile."""
    app.press("F8")
    app.until("Locked", "Enter unlock")
    app.press("Escape", "F1", "F2", "F5", "F10", "y", "1", "d", "Tab", "C-q", "C-c")
    shown = app.until("Locked", "Enter unlock")
    assert "v0.2.0" not in shown
    app.press("Enter")


def sign(app: Tmux, keyed: Keyed) -> None:
    """Type the version, both passphrases, one of them wrong first; read what was made."""
    app.until("Type v0.2.0 to sign it")
    app.answer("v0.2.1")
    app.until("It has to be exactly 'v0.2.0'.")
    app.press("C-u")
    app.answer("v0.2.0")
    app.until("Passphrase of the minisign key")
    app.answer(keyed.minisign)
    app.until("Passphrase of the OpenPGP key", within_s=120)
    app.answer(keyed.gpg + "x")
    app.until("What happened", "Enter try again")
    app.press("Enter")
    app.until("Passphrase of the OpenPGP key")
    app.answer(keyed.gpg)
    app.until("Sign 7/7", "verified", "Enter go on", within_s=60)
    app.press("Enter")
    app.until("Receipt: v0.2.0", "in words", "[WAIVED]")
    app.press("Enter")


def export(app: Tmux) -> None:
    """To the other practice medium, and back to Home."""
    app.pick("Export to a medium: v0.2.0")
    app.until("Where to write the signatures?")
    app.pick("practice-uploads")
    app.until("compare", "read back", "[OK]", "Enter go on")
    app.press("Enter")
    app.until("Exported v0.2.0", "UPLOAD.md", "more below")
    app.press("Enter")
    app.until("Next: follow UPLOAD.md")
    app.press("Enter")
    app.until("manifest and tag signed, exported", "nothing to sign yet")


def journal_checks_and_help(app: Tmux) -> None:
    """The screens that can only be read, each opened and left by its keys."""
    app.press("F2")
    app.until("release.exported", "release sign v0.2.0 --confirm", "7 of 7 entries")
    app.press("/")
    app.until("┌")
    app.type("generate")
    app.until("2 of 7 entries, with 'generate'", "$ key generate")
    app.press("Escape", "F1")
    app.until("Everywhere", "search as you type")
    app.press("Escape")
    app.until("7 of 7 entries")
    app.press("Escape")
    app.pick("Checks of this machine")
    app.until("air gap", "process", "memory lock", "entropy")
    app.press("NPage")
    app.until("terminal", "program", "installed")
    app.press("Escape")
    app.until("Checks of this machine", "more above")  # what was picked stays highlighted


def check_screens(app: Tmux, *, is_console: bool) -> None:
    """Title row, footer, width and glyphs, on every screen that was waited for."""
    assert len(app.shown) > 10
    for shown in app.shown:
        if "ended with" in shown:
            continue
        rows = shown.rstrip("\n").split("\n")
        assert len(rows) == ROWS, shown
        assert all(cells(row) <= COLUMNS for row in rows)
        assert re.search(r"REHEARSAL · (OFFLINE|CONNECTED) · .* UTC$", rows[0]), shown
        assert re.search(r"F1 (help|all pages)|Enter unlock", rows[-1]), shown
        assert rows[1] == rows[-3] == "─" * COLUMNS
        for char in set(shown) - CONSOLE_EXTRAS - FRAME - {"\n"} if is_console else ():
            assert char.encode("iso8859-15")


def check_no_canary(app: Tmux, keyed: Keyed) -> None:
    """Not on any screen, not in the scrollback, not in a byte that was written."""
    raw = app.raw.read_bytes()
    assert len(raw) > 10_000
    seen = "\n".join([*app.seen, app.scrollback()]).encode()
    for canary in (keyed.minisign, keyed.gpg):
        for form in forms(canary):
            assert form not in raw
            assert form not in seen
    # No operating system command at all: no clipboard (OSC 52), no title, no link.
    assert b"\x1b]" not in raw
    assert b"\x9d" not in raw.replace("\u255d".encode(), b"")


def check_memory(process: int, keyed: Keyed) -> None:
    """At Home, with all work done: neither beginning nor end of a passphrase."""
    assert copies_in_memory(process, keyed.folder.name.encode()) > 0, "the look itself works"
    for canary in (keyed.minisign, keyed.gpg):
        words = canary.encode()
        pieces = (words, words[: len(words) // 2], words[len(words) // 2 :])
        assert [copies_in_memory(process, piece) for piece in pieces] == [0, 0, 0]


def judge(folder: Path, scratch: Path) -> None:
    """Stock tools, over the artifacts and what was exported, as a user would download them."""
    shutil.copytree(folder / "practice-uploads" / "pai-v0.2.0", scratch)
    for image in (folder / "practice-downloads").glob("*.iso"):
        shutil.copy(image, scratch)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run("sha256sum", "--strict", "-c", "SHA256SUMS")
    for name in ("SHA256SUMS", "pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso", "receipt.json"):
        told = run("minisign", "-Vm", name, "-p", "keys/minisign.pub")
        assert f"file:{name}" in told
    (scratch / "home").mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", "home", "--batch", "--no-autostart")
    [certificate] = (scratch / "keys").glob("gpg-*.asc")
    run(*gpg, "--output", "ring.gpg", "--dearmor", str(certificate))
    for name in ("SHA256SUMS", "receipt.json"):
        told = run("gpgv", "--status-fd", "1", "--keyring", "./ring.gpg", f"{name}.asc", name)
        assert f" {certificate.stem.removeprefix('gpg-')}\n" in told
    run("git", "bundle", "list-heads", "v0.2.0.bundle")
