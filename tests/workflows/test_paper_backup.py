"""A backup goes onto paper only if it is whole and ours, and restores from there (CUS-1)."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pai_signer.errors import (
    EXIT_CANNOT_TELL,
    EXIT_REFUSED,
    EXIT_WRONG,
    FormatError,
    MediumError,
    PolicyRefused,
    SignerError,
    ToolError,
    UsageError,
)
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows.custody.paper_backup import ON_PAPER, PRINTED
from pai_signer.workflows.workbench import Workbench
from tests.paper import codes, draw, text_of
from tests.workflows.backups import Drawer, backed_up
from tests.workflows.bench import events, keyed_vault, new_vault, opened, run


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Drawer]:
    """Anna and Bob each hold a proved backup; a third medium is for the printer."""
    with backed_up(tmp_path) as drawer:
        drawer.stick("printer")
        yield drawer


def anna(made: Drawer) -> Path:
    return made.folder / "anna"


def printer(made: Drawer) -> Path:
    return made.folder / "printer"


def copies(made: Drawer) -> list[Path]:
    """The three folders of Anna's first set."""
    return sorted(anna(made).iterdir())[:3]


def held(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def on_paper(made: Drawer, **others: str) -> dict[str, Any]:
    for name in ("anna", "printer"):
        made.stick(name)
    given = {"source": str(anna(made)), "directory": str(printer(made)), **others}
    return dict(run(made.bench, "backup.paper", **given).data)


def refused(made: Drawer, **others: str) -> SignerError:
    """The error; nothing was written and nothing journalled."""
    before = events(made.bench), held(anna(made))
    with pytest.raises(SignerError) as error:
        on_paper(made, **others)
    assert held(printer(made)) == {}
    assert (events(made.bench), held(anna(made))) == before
    assert error.value.unchanged
    return error.value


def test_the_pages_hold_every_secret_file_and_the_journal_knows(
    made: Drawer, tmp_path: Path
) -> None:
    before, files = held(anna(made)), held(copies(made)[0])
    data = on_paper(made)
    ((name, pdf),) = held(printer(made)).items()
    number = data["set"]
    assert name == f"pai-backup-{number:06}-paper/pai-backup-{number:06}-paper.pdf"
    assert data["file"] == str(printer(made) / name)
    assert data["sha256"] == hashlib.sha256(pdf).hexdigest()
    (tmp_path / "scans").mkdir()
    pages = [codes(page.read_bytes()) for page in draw(pdf, tmp_path / "scans", 100)]
    assert all(len(page) == 1 for page in pages)
    listed, *parts = ("".join(f"{text}\n" for text in page) for page in pages)
    joined = "".join(parts).encode()
    assert files["minisign.key"] in joined
    assert files["gpg-secret.asc"] in joined
    for name in ON_PAPER:
        assert f"{hashlib.sha256(files[name]).hexdigest()} *{name}\n" in listed
    entry = made.bench.journal.entries()[-1]
    assert (entry.event, entry.facts["custodian"], entry.facts["set_number"]) == (
        PRINTED,
        "Anna",
        number,
    )
    assert set(entry.facts["files"]) == set(ON_PAPER)
    assert entry.facts["pages"] == len(pages) == data["pages"]
    assert held(anna(made)) == before
    assert "unmount printer" in made.media.calls
    assert "unmount anna" in made.media.calls


def test_the_pages_name_the_keys_as_the_registry_has_them(made: Drawer, tmp_path: Path) -> None:
    on_paper(made)
    (pdf,) = printer(made).rglob("*.pdf")
    first = text_of(pdf.read_bytes(), tmp_path)[0]
    for key in made.bench.registry().keys:
        assert key.id in first.replace(" ", "")
    assert made.bench.registry().keys[0].public_key in first


def test_the_same_again_is_no_conflict(made: Drawer) -> None:
    assert on_paper(made) == on_paper(made)


def test_what_it_says_afterwards(made: Drawer) -> None:
    given = {"source": str(anna(made)), "directory": str(printer(made))}
    outcome = run(made.bench, "backup.paper", **given)
    lines = [line for page in outcome.pages for line in page.lines]
    assert any("scan one page and try it" in line.text for line in lines)
    assert any("minisign.key.01.png | sha256sum" in line.text for line in lines)
    digest = hashlib.sha256(held(copies(made)[0])["minisign.key"]).hexdigest()
    assert digest in "".join(line.text.replace(" ", "") for line in lines)


def test_the_medium_is_chosen_from_a_menu_and_mounted_read_only(made: Drawer) -> None:
    made.media.unmount(anna(made))
    answers = {"medium-source": "/dev/anna", "medium": "/dev/printer"}
    data = dict(run(made.bench, "backup.paper", answers).data)
    assert data["file"].startswith(str(printer(made)))
    assert "mount anna ro" in made.media.calls
    assert "mount printer rw" in made.media.calls


# --- which set --------------------------------------------------------------------------------


@pytest.fixture
def twice(made: Drawer) -> Drawer:
    """Anna's medium holds a second, newer set."""
    made.create("Anna", made.stick("anna"))
    return made


def numbers(made: Drawer) -> list[int]:
    return sorted({int(folder.name.split("-")[2]) for folder in anna(made).iterdir()})


def test_the_newest_of_several_unless_another_is_asked_for(twice: Drawer) -> None:
    older, newer = numbers(twice)
    assert on_paper(twice)["set"] == newer
    assert on_paper(twice, set=f"{older:06}")["set"] == older


def test_a_damaged_newest_set_is_not_passed_over_in_silence(twice: Drawer) -> None:
    older, newer = numbers(twice)
    (anna(twice) / f"pai-backup-{newer:06}-b" / "RESTORE.txt").write_bytes(b"other")
    error = refused(twice)
    assert (error.code, error.exit_code) == ("CUS-1/paper-set", EXIT_REFUSED)
    assert on_paper(twice, set=str(older))["set"] == older


def test_a_set_that_is_not_there(made: Drawer) -> None:
    error = refused(made, set="999")
    assert isinstance(error, MediumError)
    assert error.code == "CUS-1/no-such-set"


@pytest.mark.parametrize("number", ["x", "-1", "0", "1e3", "\u0661"])
def test_what_is_no_number(made: Drawer, number: str) -> None:
    assert isinstance(refused(made, set=number), UsageError)


def test_a_medium_without_a_backup(made: Drawer) -> None:
    for copy in copies(made):
        shutil.rmtree(copy)
    error = refused(made)
    assert (error.code, error.exit_code) == ("CUS-1/no-backup", EXIT_CANNOT_TELL)


# --- only what is whole and ours --------------------------------------------------------------

Spoil = Callable[[list[Path]], object]


def everywhere(copies: list[Path], name: str, data: bytes) -> None:
    for copy in copies:
        (copy / name).write_bytes(data)


def renumber(copy: Path) -> None:
    copy.rename(copy.with_name(f"pai-backup-000900-{copy.name[-1]}"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda c: (c[1] / "minisign.key").write_bytes(b"x"), id="one byte"),
        pytest.param(lambda c: shutil.rmtree(c[2]), id="one copy"),
        pytest.param(lambda c: everywhere(c, "minisign.key", b"x\n"), id="all alike, and wrong"),
        pytest.param(lambda c: everywhere(c, "MANIFEST.txt", b""), id="no manifest"),
        pytest.param(
            lambda c: [
                copy.rename(copy.with_name(f"pai-backup-000900-{copy.name[-1]}")) for copy in c
            ],
            id="under another number",
        ),
    ],
)
def test_what_is_damaged_is_not_printed(made: Drawer, spoil: Spoil) -> None:
    spoil(copies(made))
    error = refused(made)
    assert isinstance(error, FormatError)
    assert error.exit_code == EXIT_WRONG


# --- where it goes ----------------------------------------------------------------------------


def test_the_pages_do_not_travel_with_the_backup(made: Drawer, tmp_path: Path) -> None:
    """Neither within it nor on the same medium by another path."""
    made.stick("printer", uuid="UUID-anna")
    given = {"source": str(anna(made)), "directory": str(printer(made))}
    for directory in (copies(made)[0], printer(made)):
        with pytest.raises(PolicyRefused) as error:
            run(made.bench, "backup.paper", **{**given, "directory": str(directory)})
        assert error.value.code == "CUS-1/paper-medium"
    assert held(printer(made)) == {}


def test_pages_that_do_not_read_are_not_written(
    made: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pai_signer.adapters.paper_printer.read_codes", lambda *_: ())
    error = refused(made)
    assert isinstance(error, ToolError)
    assert error.code == "CUS-1/paper-reread"


def test_the_app_offers_it_once_a_backup_is_known(made: Drawer, tmp_path: Path) -> None:
    def why_not(bench: Workbench) -> str:
        actions = WorkstationDesk(bench, ExitStack()).actions()
        return next(action.unavailable_because for action in actions if action.id == "backup.paper")

    assert why_not(made.bench) == ""
    with opened(keyed_vault(tmp_path / "keyed")) as keyed:
        assert why_not(keyed) == "no backup is known"
    with opened(new_vault(tmp_path / "empty")) as empty:
        assert why_not(empty) == "there is no key yet"
