"""The ways through the running app on which the pictures are taken; each begins at Home."""

import re
from collections.abc import Callable
from typing import Final

from pai_signer.adapters.passphrases import WordListPassphrases
from tests.shots.camera import Camera, Studio
from tests.shots.stations import guarded_station, large_downloads, spoilt_downloads
from tests.tui.moves import PHRASE, type_folder
from tests.tui.tmux import COLUMNS, ROWS
from tests.workstation import VERSION, downloads, workstation

_WHY: Final = "no custodian on this practice machine"


def first_start(studio: Studio) -> None:
    """No vault; a rehearsal, which has practice media."""
    with studio.app(studio.folder / "none" / "vault") as camera:
        camera.take("welcome")
    with studio.app(studio.folder / "vault", studio.folder / "practice") as camera:
        camera.take("home-rehearsal")
        camera.app.pick("Import a release")
        camera.take("picker")


def ceremony(studio: Studio) -> None:
    """Two keys are made, by one maintainer alone, in a vault that is thrown away."""
    vault = workstation("new", studio.folder / "ceremony").vault
    phrase = WordListPassphrases().offer().reveal().decode()
    with studio.app(vault) as camera:
        app = camera.app
        camera.take("home-empty")
        app.pick("Ceremonies")
        camera.take("ceremonies")
        app.pick("Generate keys")
        camera.go_on("ceremony-opening")
        for question in ("Name of the second maintainer", "Name of the witness"):
            app.until(question)
            app.press("Enter")
        camera.take("ceremony-table")
        app.press("y")
        if "Why go on all the same?" in app.until("Before the first step", "go on"):
            app.answer(_WHY)
        else:
            app.press("Enter")
        for whose in ("your own clock", "The second maintainer acts now"):
            app.until(whose)
            app.press("Enter")
        camera.go_on("ceremony-plan")
        _new_passphrase(camera, phrase, "offered-words", "passphrase-again")
        _new_passphrase(camera, phrase)
        camera.go_on("key-made")
        for made in ("OpenPGP key", "superseded.asc"):
            app.until(made, "[OK]", "Enter go on")
            app.press("Enter")
        camera.take("comparing")
        app.press("F3")
        camera.take("note")
        app.press("Escape")
        for compared in ("minisign public key, as heard", "OpenPGP fingerprint, as heard"):
            app.until(compared)
            app.press("Enter")
        for made in ("the registry is signed", "transcript, SHA-256"):
            app.until(made, "[OK]", "Enter go on")
            app.press("Enter")
        camera.take("ceremony-end")


def importing(studio: Studio) -> None:
    """A release is read: large files, cancelled; spoilt ones, refused; then as it should be."""
    vault = workstation("keyed", studio.folder / "import").vault
    with studio.app(vault) as camera:
        app = camera.app
        camera.take("home-keys")
        with large_downloads() as folder:
            _to_the_reading(camera, str(folder))
            camera.take("progress", moving=True)
            app.press("c")
            app.until("What happened")
            _discard(camera)
        with spoilt_downloads() as folder:
            _to_the_reading(camera, str(folder))
            camera.take("differs")
            _read_to(camera, "refused")
            _home(camera)
        app.pick("Import a release")
        type_folder(app, str(downloads()))
        camera.go_on("found")
        camera.go_on("typed-text")
        app.until("Is there a second, independent source")
        app.press("1")
        _read_to(camera, "imported")


def signing(studio: Studio) -> None:
    """The review, a rule that is waived, a wrong passphrase, the signatures, the stick."""
    vault = workstation("imported", studio.folder / "sign").vault
    stick = studio.folder / "stick"
    stick.mkdir()
    with studio.app(vault) as camera:
        app = camera.app
        app.pick(f"Review and sign: {VERSION}")
        camera.take("clock")
        app.press("y")
        _waive(camera)
        camera.go_on("waived")
        _read_to(camera, "review", "review-end")
        app.press("Enter")
        camera.take("confirm")
        app.answer(VERSION)
        app.until("Passphrase of the minisign key")
        app.type(PHRASE)
        camera.go_on("passphrase")
        app.until("Passphrase of the OpenPGP key")
        app.answer(f"{PHRASE}x")
        camera.go_on("error")
        app.until("Passphrase of the OpenPGP key")
        app.answer(PHRASE)
        camera.go_on("signed")
        camera.go_on("receipt")
        app.pick(f"Export to a medium: {VERSION}")
        app.until("Where to write the signatures?")
        app.pick("a folder (type its path)")
        app.until("path of the folder")
        app.answer(str(stick))
        camera.go_on("export")
        camera.take("exported")


def at_rest(studio: Studio) -> None:
    """A workstation where all is in order, and every screen that can only be read."""
    with studio.app(guarded_station(studio.folder / "rest").vault) as camera:
        app = camera.app
        camera.take("home-signed")
        app.resize(COLUMNS - 1, ROWS - 1)
        camera.take("too-small")
        app.resize(COLUMNS, ROWS)
        app.pick("Keys")
        camera.take("keys")
        app.pick("The keys")
        camera.go_on("key-list")
        app.pick("One key in full")
        app.until("Which key?")
        app.press("1")
        camera.take("key-in-full")
        _home(camera)
        app.pick("Backups")
        camera.take("backups")
        app.pick("What is proved")
        camera.take("backup-status")
        _home(camera)
        app.pick("Signatures as QR codes")
        app.pick(VERSION)
        app.pick("SHA256SUMS.asc")
        app.until("Which of its")
        app.press("Enter")
        camera.go_on("code-page")
        camera.take("code")
        _home(camera)
        app.press("F2")
        camera.take("journal")
        app.press("/")
        app.until("┌")
        app.type("backup")
        camera.take("journal-search")
        _home(camera)
        app.pick("Checks of this machine")
        camera.take("checks")
        app.press("F1")
        camera.take("help")
        app.press("F1")
        camera.take("help-topics")
        app.press("Enter")
        camera.take("help-page")
        app.press("F8")
        camera.go_on("lock")
        app.press("F10")
        camera.take("quit")


TOURS: Final[tuple[Callable[[Studio], None], ...]] = (
    first_start,
    ceremony,
    importing,
    signing,
    at_rest,
)


def take_all(studio: Studio) -> None:
    """Walk every tour; raises if one of them did not see what it had to, or a shot is missing."""
    for tour in TOURS:
        tour(studio)
    assert not studio.missing(), studio.missing()


def _new_passphrase(camera: Camera, phrase: str, offered: str = "", again: str = "") -> None:
    app = camera.app
    app.until("Write these words")
    if offered:
        camera.take(offered)
    app.answer(phrase)
    app.until("Type the same passphrase once more.")
    if again:
        camera.take(again)
    app.answer(phrase)


def _to_the_reading(camera: Camera, folder: str) -> None:
    app = camera.app
    app.pick("Import a release")
    type_folder(app, folder)
    app.until_asked("Read these files?")
    app.press("Enter")
    app.until("Commit or branch to tag")
    app.press("Enter")
    app.until("Is there a second, independent source")
    app.press("1")


def _discard(camera: Camera) -> None:
    app = camera.app
    app.press("d")
    app.until("Discard this work?")
    app.press("y")
    app.until("F10 leave", "Import a release")


def _read_to(camera: Camera, *names: str) -> None:
    """Read on by Enter, and take each of these shots when its texts come."""
    for name in names:
        while not camera.shows(name):
            shown = camera.app.until("F1 help")
            camera.app.press("Enter")
            camera.app.until_gone(shown)
        camera.take(name)


def _waive(camera: Camera) -> None:
    app = camera.app
    while "Go on to the review?" not in (shown := app.until_asked("Rules 2/7", "POL-")):
        asked = re.search(r"POL-\d \([^)]*\) says no", shown)
        if asked is None:
            continue
        if "rule" not in camera.studio.taken and "POL-7" in asked[0]:
            camera.take("rule")
        app.answer(_WHY)
        app.until_gone(asked[0])


def _home(camera: Camera) -> None:
    app = camera.app
    while "F10 leave" not in (shown := app.until("F1 help")):
        app.press("Escape")
        app.until_gone(shown)
