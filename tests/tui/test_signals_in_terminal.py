"""Signals, hang-ups and crashes of the app over a real workstation (SEC-2, SIG-6)."""

import os
import signal
import time
from pathlib import Path

import pytest

from pai_signer.composition import open_workbench
from pai_signer.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_DONE
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.tui.evidence import files_with, forms
from tests.tui.marks import needs_tmux
from tests.tui.moves import PHRASE, WEAK_APP, app_process, leave, to_the_signing
from tests.tui.tmux import program
from tests.workstation import VERSION, workstation

pytestmark = needs_tmux


def test_ctrl_c_and_ctrl_z_neither_end_nor_stop_the_app(room: Path) -> None:
    vault = workstation("keyed", room).vault
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.until("Import a release")
        app.press("C-c", "C-z", "C-\\", "C-d", "C-s", "C-q")
        app.until("Leave pai-signer?")
        app.press("y")
        assert app.end() == EXIT_DONE


def test_sigterm_ends_the_app_and_gives_the_vault_back(room: Path) -> None:
    vault = workstation("keyed", room).vault
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.until("Import a release")
        os.kill(app_process(app), signal.SIGTERM)
        assert app.end() == EXIT_CANCELLED
    with open_workbench(vault):
        pass


@pytest.mark.parametrize(
    ("what", "ends_as"),
    [("the terminal goes", "release.signed"), ("SIGKILL", "release.discarded")],
)
def test_the_app_dies_during_a_signing_and_nothing_is_half_done(
    what: str, ends_as: str, room: Path
) -> None:
    """A hang-up lets the step finish; a kill is settled at the next start (SIG-6)."""
    vault = workstation("imported", room).vault
    with program(room / "t", [*WEAK_APP, "--held-signing", str(vault)]) as app:
        to_the_signing(app)
        app.until("Sign 7/7", "Working")
        process = app_process(app)
        if what == "SIGKILL":
            os.kill(process, signal.SIGKILL)
        else:
            app.tmux("kill-server")
            time.sleep(0.5)
            assert Path(f"/proc/{process}/root").exists()
            (room / "go").touch()
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process}/root").exists():
            assert time.monotonic() < deadline, "it never ended"
            time.sleep(0.1)
    with program(room / "t2", [*WEAK_APP, str(vault)]) as app:
        if what == "SIGKILL":
            app.until("after a crash", "left nothing behind:")
            app.until("Review and sign: v0.2.0")
        else:
            app.until("v0.2.0: manifest and tag signed", "Export to a medium: v0.2.0")
        leave(app)
    with open_workbench(vault, limits=WEAK_SCRYPT_LIMITS) as (bench, notes):
        assert notes == ()
        events = [entry.event for entry in bench.journal.entries()]
        assert events[-2:] == ["release.signing", ends_as]
        assert bool(bench.releases.staged(VERSION)) is (ends_as == "release.signed")


def test_a_bug_beside_a_passphrase_prints_neither_value_nor_local_variable(room: Path) -> None:
    vault = workstation("imported", room).vault
    with program(room / "t", [*WEAK_APP, "--crash", str(vault)]) as app:
        to_the_signing(app)
        assert app.end() == EXIT_BUG
        shown = app.scrollback()
        raw = app.raw.read_bytes()
    assert "SEC-2/crash" in shown
    assert "RuntimeError" in shown
    assert "Traceback" not in shown
    assert "locals" not in shown
    for form in forms(PHRASE):
        assert form not in raw
        assert form not in shown.encode()
    assert files_with(room, PHRASE) == []
