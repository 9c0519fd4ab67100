"""A backup goes onto paper only if it is whole and ours, and restores from there (CUS-1)."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pai_signer.domain.custody import MediumIdentity
from pai_signer.errors import (
    EXIT_CANNOT_TELL,
    EXIT_REFUSED,
    EXIT_WRONG,
    BadSignature,
    FormatError,
    MediumError,
    PolicyRefused,
    SignerError,
    ToolError,
    UsageError,
)
from pai_signer.workflows.custody.paper_backup import ON_PAPER, PRINTED
from pai_signer.workflows.workbench import Workbench
from tests.backup_sets import CUSTODIAN, set_files, signed, write_set
from tests.paper import codes, draw, text_of
from tests.workflows.bench import events, run


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    return folder(tmp_path / "medium")


@pytest.fixture
def printer(tmp_path: Path) -> Path:
    return folder(tmp_path / "to-the-printer")


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture
def files(keyed: Workbench, medium: Path) -> dict[str, bytes]:
    """Set 7 on the medium, and what is in each of its folders."""
    made = set_files(keyed, number=7)
    write_set(keyed, medium, made, 7)
    return made


def refused(bench: Workbench, medium: Path, printer: Path, **others: str) -> SignerError:
    """The error; nothing was written and nothing journalled."""
    before = events(bench)
    with pytest.raises(SignerError) as error:
        run(bench, "backup.paper", source=str(medium), directory=str(printer), **others)
    assert list(printer.iterdir()) == []
    assert events(bench) == before
    assert error.value.unchanged
    return error.value


def test_the_pages_hold_every_secret_file_and_the_journal_knows(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in medium.rglob("*") if path.is_file()}
    outcome = run(keyed, "backup.paper", source=str(medium), directory=str(printer))
    (pdf,) = [path for path in printer.rglob("*") if path.is_file()]
    assert pdf.name == "pai-backup-000007-paper.pdf"
    assert outcome.data["file"] == str(pdf)
    data = pdf.read_bytes()
    assert outcome.data["sha256"] == hashlib.sha256(data).hexdigest()
    pages = [codes(page.read_bytes()) for page in draw(data, folder(tmp_path / "scans"), 150)]
    assert all(len(page) == 1 for page in pages)
    listed, *parts = ("".join(f"{text}\n" for text in page) for page in pages)
    joined = "".join(parts).encode()
    assert files["minisign.key"] in joined
    assert files["gpg-secret.asc"] in joined
    for name in ON_PAPER:
        assert f"{hashlib.sha256(files[name]).hexdigest()} *{name}\n" in listed
    entry = keyed.journal.entries()[-1]
    assert (entry.event, entry.facts["custodian"], entry.facts["set_number"]) == (
        PRINTED,
        CUSTODIAN,
        7,
    )
    assert set(entry.facts["files"]) == set(ON_PAPER)
    assert entry.facts["pages"] == len(pages) == outcome.data["pages"]
    assert {path: path.read_bytes() for path in medium.rglob("*") if path.is_file()} == before


def test_the_pages_name_the_keys_as_the_registry_has_them(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    run(keyed, "backup.paper", source=str(medium), directory=str(printer))
    (pdf,) = printer.rglob("*.pdf")
    first = text_of(pdf.read_bytes(), tmp_path)[0]
    for key in keyed.registry().keys:
        assert key.id in first.replace(" ", "")
    assert keyed.registry().keys[0].public_key in first


def test_the_same_again_is_no_conflict(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes]
) -> None:
    first = run(keyed, "backup.paper", source=str(medium), directory=str(printer)).data
    assert run(keyed, "backup.paper", source=str(medium), directory=str(printer)).data == first


def test_what_it_says_afterwards(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes]
) -> None:
    outcome = run(keyed, "backup.paper", source=str(medium), directory=str(printer))
    said = "\n".join(f"{line.label} {line.text}" for page in outcome.pages for line in page.lines)
    assert "scan one page and try it" in said
    assert "minisign.key.01.png | sha256sum" in said
    digest = hashlib.sha256(files["minisign.key"]).hexdigest()
    assert digest in said.replace(" ", "").replace("\n", "").replace("itmustprint", "")


# --- which set --------------------------------------------------------------------------------


def test_the_newest_of_several_unless_another_is_asked_for(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes]
) -> None:
    write_set(keyed, medium, set_files(keyed, number=8), 8)
    newest = run(keyed, "backup.paper", source=str(medium), directory=str(printer))
    assert newest.data["set"] == 8
    older = run(keyed, "backup.paper", source=str(medium), directory=str(printer), set="000007")
    assert older.data["set"] == 7


def test_a_damaged_newest_set_is_not_passed_over_in_silence(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes]
) -> None:
    write_set(keyed, medium, {**set_files(keyed, number=8), "RESTORE.txt": b"other"}, 8)
    error = refused(keyed, medium, printer)
    assert (error.code, error.exit_code) == ("CUS-1/paper-set", EXIT_REFUSED)
    older = run(keyed, "backup.paper", source=str(medium), directory=str(printer), set="7")
    assert older.data["set"] == 7


def test_a_set_that_is_not_there(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes]
) -> None:
    error = refused(keyed, medium, printer, set="9")
    assert isinstance(error, MediumError)
    assert error.code == "CUS-1/no-such-set"


@pytest.mark.parametrize("number", ["x", "-1", "0", "1e3", "\u0661"])
def test_what_is_no_number(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes], number: str
) -> None:
    assert isinstance(refused(keyed, medium, printer, set=number), UsageError)


def test_a_medium_without_a_backup(keyed: Workbench, medium: Path, printer: Path) -> None:
    error = refused(keyed, medium, printer)
    assert (error.code, error.exit_code) == ("CUS-1/no-backup", EXIT_CANNOT_TELL)


# --- only what is whole and ours --------------------------------------------------------------

Spoil = Callable[[Path], object]


def copy(medium: Path, letter: str) -> Path:
    return medium / f"pai-backup-000007-{letter}"


def delete(medium: Path, name: str) -> None:
    """From all three copies."""
    for letter in "abc":
        (copy(medium, letter) / name).unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda m: (copy(m, "b") / "minisign.key").write_bytes(b"x"), id="one byte"),
        pytest.param(lambda m: (copy(m, "c") / "gpg-secret.asc").unlink(), id="one file"),
        pytest.param(lambda m: (copy(m, "a") / "more.txt").write_bytes(b"x"), id="one more"),
        pytest.param(lambda m: shutil.rmtree(copy(m, "b")), id="one copy"),
        pytest.param(lambda m: delete(m, "RESTORE.txt"), id="card"),
        pytest.param(
            lambda m: [(copy(m, c) / "minisign.key").write_bytes(b"x\n") for c in "abc"],
            id="all alike, and wrong",
        ),
        pytest.param(lambda m: delete(m, "MANIFEST.txt"), id="no manifest"),
        pytest.param(
            lambda m: [copy(m, c).rename(m / f"pai-backup-000009-{c}") for c in "abc"],
            id="under another number",
        ),
    ],
)
def test_what_is_damaged_is_not_printed(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes], spoil: Spoil
) -> None:
    spoil(medium)
    error = refused(keyed, medium, printer)
    assert isinstance(error, FormatError)
    assert error.exit_code == EXIT_WRONG


def test_a_link_in_place_of_a_file_is_not_followed(
    keyed: Workbench, medium: Path, printer: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    key = copy(medium, "b") / "minisign.key"
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    assert isinstance(refused(keyed, medium, printer), FormatError)


def test_a_manifest_that_nobody_signed_is_worth_nothing(
    keyed: Workbench, medium: Path, printer: Path
) -> None:
    files = set_files(keyed, number=7)
    unsigned = {
        n: d for n, d in files.items() if n not in {f"MANIFEST.txt.{s}" for s in ("minisig", "asc")}
    }
    write_set(keyed, medium, unsigned, 7)
    error = refused(keyed, medium, printer)
    assert (error.code, error.exit_code) == ("CUS-1/unsigned", EXIT_WRONG)


@pytest.mark.parametrize("signature", ["MANIFEST.txt.minisig", "MANIFEST.txt.asc"])
def test_a_forged_manifest_is_found_by_either_signature(
    keyed: Workbench, medium: Path, printer: Path, signature: str
) -> None:
    """Somebody exchanged a file, wrote a new manifest, and kept one old signature."""
    old = set_files(keyed, number=7)
    listed = {n: d for n, d in old.items() if not n.startswith("MANIFEST")}
    forged = signed(keyed, {**listed, "minisign.key": b"untrusted comment: x\n"}, 7)
    write_set(keyed, medium, {**forged, signature: old[signature]}, 7)
    assert isinstance(refused(keyed, medium, printer), BadSignature)


def test_a_practice_backup_is_no_backup(keyed: Workbench, medium: Path, printer: Path) -> None:
    files = set_files(keyed, number=7)
    manifest = files["MANIFEST.txt"]
    title, _, rest = manifest.partition(b"\n")
    practice = title + b"\n# REHEARSAL: practice keys; this backs up nothing\n" + rest
    write_set(keyed, medium, {**files, "MANIFEST.txt": practice}, 7)
    assert isinstance(refused(keyed, medium, printer), FormatError)


def test_a_file_that_would_fill_a_book(keyed: Workbench, medium: Path, printer: Path) -> None:
    write_set(keyed, medium, set_files(keyed, number=7, revocations_gpg=bytes(1 << 20)), 7)
    error = refused(keyed, medium, printer)
    assert (error.code, error.exit_code) == ("CUS-1/paper-size", EXIT_REFUSED)


# --- where it goes ----------------------------------------------------------------------------


def test_the_pages_do_not_travel_with_the_backup(
    keyed: Workbench, medium: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    inside = folder(medium / "pages")
    error = refused(keyed, medium, inside)
    assert error.code == "CUS-1/paper-medium"


def test_nor_on_the_same_medium_by_another_path(
    keyed: Workbench,
    medium: Path,
    printer: Path,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = MediumIdentity(uuid="1234-ABCD")
    monkeypatch.setattr(type(keyed.media), "identify", lambda self, directory: one)
    assert isinstance(refused(keyed, medium, printer), PolicyRefused)


def test_pages_that_do_not_read_are_not_written(
    keyed: Workbench,
    medium: Path,
    printer: Path,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pai_signer.adapters.paper_printer.read_codes", lambda *_: ())
    error = refused(keyed, medium, printer)
    assert isinstance(error, ToolError)
    assert error.code == "CUS-1/paper-reread"
