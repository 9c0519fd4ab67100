"""Bad input, every key, every size: the app over a real workstation (FACE-3, FACE-4)."""

import shutil
from pathlib import Path

from pai_signer.composition import open_workbench
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, choose_folder, leave, type_folder
from tests.tui.tmux import program
from tests.workstation import downloads, workstation

pytestmark = needs_tmux


def test_bad_paths_are_refused_in_plain_words_and_the_question_comes_again(room: Path) -> None:
    vault = workstation("keyed", room).vault
    (room / "file").write_text("x")
    (room / "empty").mkdir()
    (room / "link").symlink_to(downloads())
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.pick("Import a release")
        choose_folder(app)
        app.press("Enter")
        app.until("It may not be empty.")
        for path in (
            str(room / "file"),
            str(room / "missing"),
            str(room / "empty"),
            str(room / "link"),
            "/" + "x" * 300,
            "/" + "very-long-path/" * 250,
            "/dev/null",
            "-rf",
        ):
            app.answer(path)
            app.until("This did not work")
            shown = app.read_pages("Code ")
            assert "Unchanged" in shown
            assert "What to do next" in shown
            app.press("b")
            app.until("path of the folder", "┌")
        leave(app)
    with open_workbench(vault) as (bench, _):
        assert [e.event for e in bench.journal.entries()] == [
            "vault.created",
            "key.generated",
            "ceremony.ended",
        ]


def test_a_folder_that_goes_away_between_scan_and_read(room: Path) -> None:
    vault = workstation("keyed", room).vault
    medium = room / "medium"
    shutil.copytree(downloads(), medium)
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.pick("Import a release")
        type_folder(app, str(medium))
        app.until("Read these files?")
        medium.rename(room / "gone")
        app.press("Enter")
        app.until("Commit or branch to tag")
        app.press("Enter")
        app.until("second, independent source")
        app.press("1")
        app.until("This did not work", "Nothing was signed", "Enter try again")
        (room / "gone").rename(medium)
        app.press("Enter")
        app.until("page 1 of 7")
        leave(app)


def test_every_key_on_every_screen_harms_nothing(room: Path) -> None:
    """Letters, control keys and function keys but those that leave: nothing is signed or lost."""
    vault = workstation("imported", room).vault
    keys = [
        *"abcefghijklmnoprstuvwxyz",
        *"!#$%&()*+,-.:<=>@[]^_`{|}~",
        *(f"C-{c}" for c in "abcdefgklnoprtuvwxyz"),
        *("F3", "F4", "F6", "F7", "F9", "F11", "F12", "Tab", "BTab", "Up", "Down", "Left"),
        *("Right", "End", "Home", "PPage", "NPage", "IC", "DC", "BSpace", "M-x", "M-q"),
    ]
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        for opener, text in (
            ((), "Review and sign"),
            (("F2",), " entries"),
            (("F1",), "Everywhere"),
            (("F8",), "Locked"),
            (("F10",), "Leave pai-signer?"),
        ):
            app.until("Review and sign: v0.2.0")
            app.press(*opener)
            app.until(text)
            app.tmux("send-keys", "-t", "x", *(k for k in keys if k not in ("y", "n")))
            app.until(text)
            app.press("Enter" if "F8" in opener else "Escape")
            if "F2" in opener:
                app.press("Escape", "Escape")
        app.pick("Review and sign: v0.2.0")
        app.until("Does a watch or a phone")
        harmless = [k for k in keys if k not in ("y", "n", "b")]
        app.tmux("send-keys", "-t", "x", *harmless)
        app.until("Does a watch or a phone")
        leave(app)
    with open_workbench(vault, limits=WEAK_SCRYPT_LIMITS) as (bench, notes):
        assert notes == ()
        assert bench.journal.entries()[-1].event == "release.imported"


def test_resizing_in_the_middle_of_everything(room: Path) -> None:
    vault = workstation("imported", room).vault
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.pick("Review and sign: v0.2.0")
        for key, text in (("F5", "Does a watch or a phone"), ("y", "POL-7")):
            app.press(key)
            app.until(text)
            app.resize(60, 15)
            app.until("60x15", "80x24")
            app.resize(132, 50)
            app.until(text)
            app.resize(80, 24)
            app.until(text, "F1 help")
        leave(app)
