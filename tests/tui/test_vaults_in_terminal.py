"""Unfinished work, the first vault, and vaults that cannot be opened, in the real app."""

import shutil
from pathlib import Path

import pytest

from pai_signer.composition import open_workbench
from pai_signer.errors import EXIT_BUG, EXIT_DONE
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, leave, type_folder
from tests.tui.tmux import PROGRAM, program
from tests.workstation import downloads, workstation

pytestmark = needs_tmux


def test_unfinished_work_is_resumed_or_discarded_even_if_it_cannot_be_read(room: Path) -> None:
    vault = workstation("keyed", room).vault
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.pick("Import a release")
        type_folder(app, str(downloads()))
        app.until("Read these files?")
        while "Discard unfinished work" not in (shown := app.until("F1 help")):
            app.press("Escape")
            app.until_gone(shown)
        app.until("Resume: Import")
        [state] = (vault / "unfinished").iterdir()
        state.write_text("no JSON")
        app.press("F5")
        app.until_gone("Resume: Import")
        app.pick("Discard unfinished work")
        app.until("Which unfinished work", "import-release (at unreadable)")
        app.press("1")
        app.until("Discard it?")
        app.press("n")
        app.until("kept")
        app.press("Enter")
        app.pick("Discard unfinished work")
        app.until("Which unfinished work")
        app.press("1")
        app.until("Discard it?")
        app.press("y")
        app.until("its saved state alone")
        app.press("Enter")
        app.until_gone("Discard unfinished work")
        app.press("F2")
        app.until("unfinished.discarded")
        leave(app)
    assert list((vault / "unfinished").iterdir()) == []


def test_without_a_vault_the_app_makes_one(room: Path) -> None:
    vault = room / "vault"
    with program(room / "t", [PROGRAM, "--vault", str(vault)]) as app:
        shown = app.until("no vault yet at", str(vault), "Make a new vault")
        assert "REHEARSAL" not in shown
        app.press("1")
        app.until("Your name")
        app.answer("Bad <name>")
        app.until("This did not work", "No vault was made.")
        app.press("Enter")
        app.until("Your name")
        app.answer("Ada Maintainer")
        app.until("Your email address")
        app.answer("not an address")
        app.until("This did not work", "No vault was made.")
        assert not vault.exists()
        app.press("Enter")
        app.until("Your email address")
        app.answer("ada@example.org")
        app.until("The vault is made")
        app.press("Enter")
        app.until("PAI - Ada Maintainer", "Ceremonies")
        app.press("F2")
        app.until("vault.created", "init --maintainer")
        leave(app)
    with open_workbench(vault) as (bench, _):
        assert bench.info.maintainer_name == "Ada Maintainer"


def test_a_folder_that_is_not_a_vault_is_refused_and_left_alone(room: Path) -> None:
    folder = room / "photos"
    folder.mkdir(mode=0o700)
    (folder / "holiday.jpg").write_text("x")
    with program(room / "t", [PROGRAM, "--vault", str(folder)]) as app:
        app.until("no vault yet at", "Make a new vault")
        app.press("1")
        app.until("Your name")
        app.answer("Ada Maintainer")
        app.until("Your email address")
        app.answer("ada@example.org")
        app.until("holds other files and is not a", "SEC-2/vault-not-empty")
        leave(app)
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("kind", ["file", "public", "broken", "busy"])
def test_a_vault_that_cannot_be_opened_is_said_in_plain_lines(kind: str, room: Path) -> None:
    vault = workstation("keyed", room).vault
    if kind == "file":
        shutil.rmtree(vault)
        vault.write_text("x")
    elif kind == "public":
        vault.chmod(0o755)
    elif kind == "broken":
        (vault / "vault.json").write_text("{")
    with program(room / "t", [PROGRAM, "--vault", str(vault)]) as app:
        if kind == "busy":
            app.until("Import a release")
            with program(room / "t2", [PROGRAM, "--vault", str(vault)]) as second:
                assert second.end() not in (EXIT_DONE, EXIT_BUG)
                shown = second.until("JRN-1/vault-in-use")
            leave(app)
        else:
            assert app.end() not in (EXIT_DONE, EXIT_BUG)
            shown = app.until("Code")
    for label in ("What happened", "Unchanged", "What to do next"):
        assert label in shown
    assert "Traceback" not in shown
