"""A backup is written whole, restores with stock tools, and is proved at once (CUS-1, CUS-2)."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.domain.backup import parse_facts
from pai_signer.domain.custody import MediumIdentity, Outcome
from pai_signer.domain.page import Mark
from pai_signer.domain.progress import Progress
from pai_signer.errors import (
    CannotTell,
    CustodyError,
    MediumError,
    PolicyRefused,
    SignerError,
    UsageError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Automatic, Conversation
from pai_signer.workflows.workbench import Workbench
from tests.workflows.backups import ANNA, Drawer, drawer, typed
from tests.workflows.bench import PHRASES, Silent, events, run

FILES: Final = {
    *("RESTORE.txt", "MANIFEST.txt", "MANIFEST.txt.minisig", "MANIFEST.txt.asc", "backup.json"),
    *("minisign.key", "minisign.pub", "gpg-secret.asc", "gpg-public.asc", "revocations.gpg"),
    *("registry.json", "registry.json.minisig", "registry.json.asc", "journal.jsonl"),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Drawer]:
    """A vault with keys that nobody holds a backup of."""
    with drawer(tmp_path) as opened:
        yield opened


def counts(made: Drawer) -> bool:
    rules, now = made.bench.profile.custody, made.bench.clock.now()
    rows = made.bench.ledger().rows
    assert rows
    return all(not row.why_not(rules, now) for row in rows)


def begin(made: Drawer, stick: Path) -> Conversation[Any]:
    arguments = {"custodian": "Anna", "directory": str(stick)}
    return catalogue.begin(made.bench, "backup.create", arguments)


def walk(talk: Conversation[Any], until: str) -> list[str]:
    """Take every step before ``until``; returns the questions that were answered."""
    given, asked = typed({**PHRASES, **ANNA}), []
    while (step := talk.step) is not None and step.id != until:
        question = step.question(talk.state)
        asked.append(question.name)
        default = "" if isinstance(question, Automatic) else question.default or ""
        talk.answer(given.get(question.name, default), Progress())
    return asked


def test_three_identical_folders_are_written_and_proved(made: Drawer) -> None:
    stick = made.stick("anna")
    data = made.create("Anna", stick)
    copies = made.copies(stick, data["set"])
    contents = [{p.name: p.read_bytes() for p in copy.iterdir()} for copy in copies]
    assert contents[0] == contents[1] == contents[2]
    assert set(contents[0]) == FILES
    facts = parse_facts(contents[0]["backup.json"])
    assert facts.custodian == "Anna"
    assert facts.medium == MediumIdentity(uuid="UUID-anna", serial="SERIAL-anna", label="ANNA")
    entry = made.bench.journal.entries()[facts.number - 1]
    assert (entry.event, entry.hash) == ("backup.begun", facts.journal_head.hash)
    assert events(made.bench)[facts.number - 1 :] == [
        *("backup.begun", "backup.created", "backup.proved", "backup.proved"),
    ]
    assert {key["algorithm"] for key in data["proved"]} == {"minisign", "openpgp"}
    assert data["does_not_prove"]
    assert data["unmounted"] is True
    assert made.media.calls[-1] == "unmount anna"
    assert counts(made)
    judged_by_stock_tools(made, copies[1])
    no_passphrase_is_left(made)


def judged_by_stock_tools(made: Drawer, copy: Path) -> None:
    registry = made.bench.registry()
    (public,) = (key.public_key for key in registry.keys if key.algorithm.value == "minisign")
    for command in (
        ["sha256sum", "--strict", "-c", "MANIFEST.txt"],
        ["minisign", "-Vm", "MANIFEST.txt", "-P", public],
        ["minisign", "-Vm", "registry.json", "-p", "minisign.pub"],
    ):
        done = subprocess.run(command, cwd=copy, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (copy / "minisign.key").read_bytes().startswith(b"untrusted comment: ")
    assert b"BEGIN PGP PRIVATE KEY BLOCK" in (copy / "gpg-secret.asc").read_bytes()


def no_passphrase_is_left(made: Drawer) -> None:
    """Neither in the vault nor on the medium; what looks for it finds what is there."""
    phrases = [*PHRASES.values(), *ANNA.values()]
    paths = [path for path in made.folder.rglob("*") if path.is_file()]
    assert any(b"backup.proved" in path.read_bytes() for path in paths)
    for path in paths:
        data = path.read_bytes()
        assert not any(phrase in data for phrase in phrases), path


# --- refused, and nothing was written -----------------------------------------------------------


def refused(made: Drawer, stick: Path, phrases: dict[str, bytes]) -> SignerError:
    before = (events(made.bench), sorted(stick.iterdir()))
    with pytest.raises(SignerError) as error:
        made.create("Anna", stick, phrases)
    assert error.value.unchanged
    assert (events(made.bench), sorted(stick.iterdir())) == before
    assert made.bench.ledger().rows == ()
    return error.value


@pytest.mark.parametrize(
    ("phrases"),
    [
        {"custodian": PHRASES["minisign"]},
        {"custodian": PHRASES["gpg"]},
        {"custodian-gpg": PHRASES["gpg"]},
        {"custodian-gpg": ANNA["custodian"]},
    ],
)
def test_a_passphrase_that_opens_something_else_is_refused(
    made: Drawer, phrases: dict[str, bytes]
) -> None:
    error = refused(made, made.stick("anna"), phrases)
    assert error.code == "CUS-1/same-passphrase"
    assert error.exit_code == 3


def test_a_weak_passphrase_is_refused_with_the_reason(made: Drawer) -> None:
    made.bench = dataclasses.replace(made.bench, passphrases=WordListPassphrases())
    error = refused(made, made.stick("anna"), {"custodian": b"correct horse"})
    assert error.code == "KEY-1/weak-passphrase"


@pytest.mark.parametrize("name", ["minisign", "gpg"])
def test_a_wrong_passphrase_of_the_workstation_is_refused(made: Drawer, name: str) -> None:
    error = refused(made, made.stick("anna"), {name: b"something else"})
    assert error.code == "KEY-1/wrong-passphrase"


def test_without_a_key_there_is_nothing_to_back_up(empty: Workbench, tmp_path: Path) -> None:
    for entry in ("backup.create", "backup.verify"):
        with pytest.raises(PolicyRefused) as error:
            run(empty, entry, custodian="Anna", directory=str(tmp_path))
        assert "key generate" in error.value.hint
        assert error.value.unchanged


def test_a_registry_that_is_not_whole_does_not_go_onto_a_medium(made: Drawer) -> None:
    (signature,) = (made.folder / "vault" / "keys").rglob("registry.json.minisig")
    signature.unlink()
    with pytest.raises(CannotTell) as error:
        begin(made, made.stick("anna"))
    assert error.value.code == "KEY-2/unsigned-registry"


@pytest.mark.parametrize("name", [" ", "A\x1b[2Jnna", "x" * 61, "back\\slash"])
def test_what_is_no_name_is_refused(made: Drawer, name: str) -> None:
    with pytest.raises(UsageError) as error:
        made.create(name, made.stick("anna"))
    assert error.value.code == "CUS-1/custodian"


# --- media that will not do ---------------------------------------------------------------------


def test_a_folder_is_used_with_a_loud_warning_and_does_not_count(made: Drawer) -> None:
    folder = made.folder / "somewhere"
    folder.mkdir()
    speaker = Silent()
    given = typed({**PHRASES, **ANNA})
    outcome = run(
        made.bench, "backup.create", given, speaker, custodian="Anna", directory=str(folder)
    )
    loud = [line.text for page in speaker.shown for line in page.lines]
    assert any("NOT COUNT" in text for text in loud)
    last = [line for page in outcome.pages for line in page.lines if line.mark is Mark.FAIL]
    assert last
    assert outcome.data["medium"]["known"] is False
    assert not counts(made)


def test_a_failure_in_the_second_folder_leaves_a_set_that_reads_as_damaged(
    made: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What remains is one whole folder; nothing says that a backup was made."""
    stick, written = made.stick("anna"), list[str]()
    real = MediumDestinations.write_release

    def full(self: Any, directory: Path, folder: str, *rest: Any) -> Any:
        if written:
            raise MediumError("EXP-2/full", "It is full.", "Use another one.")
        written.append(folder)
        return real(self, directory, folder, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(MediumDestinations, "write_release", full)
        with pytest.raises(MediumError) as error:
            made.create("Anna", stick)
    assert "remove its folders" in str(error.value.unchanged)
    assert "backup.begun" in events(made.bench)
    assert "backup.created" not in events(made.bench)
    assert made.bench.ledger().rows == ()
    # Whoever was not there is told as well.
    status = run(made.bench, "backup.status")
    (told,) = status.data["cut_short"]
    assert (told["custodian"], told["medium"]["uuid"]) == ("Anna", "UUID-anna")
    assert f"{written[0]} to " in "".join(line.text for line in status.pages[0].lines)
    with pytest.raises(SignerError) as damaged:
        made.verify("Anna", stick)
    assert damaged.value.code == f"CUS-2/{Outcome.DAMAGED.value}"
    # Tried again, it gets another number; the rest of the first try is told and harms nothing.
    data = made.create("Anna", stick)
    made.stick("anna")
    assert len(list(stick.iterdir())) == 4
    outcome = made.verify("Anna", stick)
    assert {key["set"] for key in outcome.data["proved"]} == {data["set"]}
    assert any("not whole and not needed" in note for note in outcome.data["notes"])
    assert run(made.bench, "backup.status").data["cut_short"] == []


def test_another_medium_in_the_place_of_the_one_looked_at_is_not_written(made: Drawer) -> None:
    stick = made.stick("anna")
    talk = begin(made, stick)
    walk(talk, "write")
    made.media.plug_in(stick, uuid="ANOTHER", serial="ANOTHER")
    with pytest.raises(CustodyError) as error:
        talk.answer("", Progress())
    assert error.value.code == "CUS-1/other-medium"
    assert list(stick.iterdir()) == []


# --- killed -----------------------------------------------------------------------------------


def test_killed_before_the_proof_it_goes_on_with_the_set_that_was_written(made: Drawer) -> None:
    stick = made.stick("anna")
    walk(begin(made, stick), "prove")
    asked = walk(begin(made, stick), "the end")
    assert asked == ["custodian", "custodian-gpg", "prove", "unmount"]
    assert events(made.bench).count("backup.created") == 1
    assert counts(made)


def test_killed_right_after_writing_no_second_set_is_written(made: Drawer) -> None:
    """The journal knows what the saved state could not say any more."""
    stick = made.stick("anna")
    talk = begin(made, stick)
    walk(talk, "write")
    saved = made.bench.states.load("create-backup")
    assert saved is not None
    talk.answer("", Progress())
    made.bench.states.save("create-backup", saved)
    again = begin(made, stick)
    assert again.resumed
    asked = walk(again, "the end")
    assert asked == ["write", "custodian", "custodian-gpg", "prove", "unmount"]
    assert events(made.bench).count("backup.begun") == 1
    assert len(list(stick.iterdir())) == 3
    assert counts(made)


def test_the_wrong_passphrase_after_a_crash_proves_nothing(made: Drawer) -> None:
    stick = made.stick("anna")
    walk(begin(made, stick), "prove")
    talk = begin(made, stick)
    wrong: dict[str, Answer] = typed({"custodian": b"something else", **ANNA})
    wrong["custodian"] = typed({"x": b"something else"})["x"]
    for name in ("custodian", "custodian-gpg"):
        talk.answer(wrong[name], Progress())
    with pytest.raises(PolicyRefused):
        talk.answer("", Progress())
    assert made.bench.journal.entries()[-1].facts["outcome"] == "wrong-passphrase"
    assert not counts(made)
