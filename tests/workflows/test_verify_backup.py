"""Every outcome of a verification, from real files in folders that play media (CUS-2)."""

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pai_signer.domain.backup import parse_facts, render_manifest
from pai_signer.domain.custody import FailedFacts, Outcome
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    EXIT_REFUSED,
    EXIT_WRONG,
    CustodyError,
    JournalTampered,
    MediumError,
    PolicyRefused,
    SignerError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES
from tests.custody import EXIT_CODES
from tests.workflows.backups import ANNA, Drawer, backed_up
from tests.workflows.bench import (
    ShiftedClock,
    Silent,
    events,
    keyed_vault,
    run,
    secrets,
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Drawer]:
    """Anna and Bob each hold a proved backup."""
    with backed_up(tmp_path) as drawer:
        yield drawer


def anna(made: Drawer) -> Path:
    return made.folder / "anna"


def copies(made: Drawer) -> list[Path]:
    """The three folders of Anna's set."""
    return sorted(anna(made).iterdir())


def flip(path: Path, at: int = -20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def failed(made: Drawer, outcome: Outcome) -> SignerError:
    """Verify Anna's medium; it ends so, with its exit code, journalled, and nothing proved."""
    before = events(made.bench)
    with pytest.raises(SignerError) as error:
        made.verify("Anna", anna(made))
    since = made.bench.journal.entries()[len(before) :]
    assert {entry.event for entry in since} == {"backup.failed"}
    outcomes = {msgspec.convert(entry.facts, FailedFacts).outcome for entry in since}
    assert outcomes == {outcome}
    assert error.value.exit_code == EXIT_CODES[outcome], error.value
    assert error.value.unchanged
    return error.value


def counts(made: Drawer, custodian: str) -> bool:
    """Whether every proof of this custodian counts."""
    rules, now = made.bench.profile.custody, made.bench.clock.now()
    rows = [row for row in made.bench.ledger().rows if row.custodian == custodian]
    assert len(rows) == 2
    return all(not row.why_not(rules, now) for row in rows)


# --- what is whole ----------------------------------------------------------------------------


def test_a_whole_medium_is_proved_and_says_what_that_does_not_show(made: Drawer) -> None:
    outcome = made.verify("anna ", anna(made), ANNA)
    assert outcome.data["outcome"] == "fresh"
    assert outcome.data["custodian"] == "Anna"
    assert {key["algorithm"] for key in outcome.data["proved"]} == {"minisign", "openpgp"}
    text = " ".join(f"{line.label} {line.text}" for page in outcome.pages for line in page.lines)
    assert "can sign as these keys" in text
    assert "NOT proved who typed" in text
    assert "drawer" in text
    assert events(made.bench)[-2:] == ["backup.proved"] * 2
    for entry in made.bench.journal.entries()[-2:]:
        assert "--custodian 'Anna'" in entry.facts["command"]
        assert entry.facts["challenge"][0].startswith("# PROOF OF POSSESSION")
        assert entry.facts["signatures"]


def test_two_proofs_never_sign_the_same_challenge(made: Drawer) -> None:
    digests = [
        entry.facts["challenge_sha256"]
        for entry in made.bench.journal.entries()
        if entry.event == "backup.proved"
    ]
    assert len(digests) == len(set(digests)) == 4


# --- outcomes before any secret is asked ----------------------------------------------------------


def test_the_other_custodians_medium_is_told_as_such(made: Drawer) -> None:
    shutil.rmtree(anna(made))
    shutil.copytree(made.folder / "bob", anna(made))
    error = failed(made, Outcome.OTHER_CUSTODIAN)
    assert "Bob" in error.summary
    assert not counts(made, "Anna")
    assert counts(made, "Bob")


def test_empty_though_it_should_not_be(made: Drawer) -> None:
    for copy in copies(made):
        shutil.rmtree(copy)
    error = failed(made, Outcome.EMPTY)
    assert "should be on it" in error.summary
    assert "plugged in" in error.hint
    assert not counts(made, "Anna")


def test_a_medium_that_cannot_be_read(made: Drawer) -> None:
    class Gone:
        def read(self, *_: object) -> None:
            raise MediumError("CUS-2/gone", "The medium is gone.", "Plug it in.")

    broken: Any = Gone()
    made.bench = dataclasses.replace(made.bench, backup_reader=broken)
    failed(made, Outcome.UNREADABLE)
    assert not counts(made, "Anna")


@pytest.mark.parametrize("name", ["minisign.key", "gpg-secret.asc", "journal.jsonl", "backup.json"])
def test_one_changed_byte_in_one_copy_is_damage_and_says_where(made: Drawer, name: str) -> None:
    flip(copies(made)[1] / name)
    error = failed(made, Outcome.DAMAGED)
    assert "copy b" in error.summary
    assert name in error.summary
    assert "--repair" in error.hint
    assert not counts(made, "Anna")


@pytest.mark.parametrize("name", ["minisign.key", "MANIFEST.txt", "MANIFEST.txt.minisig"])
def test_the_same_byte_in_all_copies_is_damage_without_repair(made: Drawer, name: str) -> None:
    for copy in copies(made):
        flip(copy / name)
    failed(made, Outcome.DAMAGED)
    seen = {path: path.read_bytes() for path in anna(made).rglob("*") if path.is_file()}
    with pytest.raises(SignerError) as error:
        made.verify("Anna", anna(made), repair=True)
    assert error.value.exit_code == EXIT_WRONG
    assert {path: path.read_bytes() for path in seen} == seen


@pytest.mark.parametrize("number", [0, 2])
def test_a_copy_that_is_missing_is_damage(made: Drawer, number: int) -> None:
    shutil.rmtree(copies(made)[number])
    failed(made, Outcome.DAMAGED)


def test_a_copy_of_another_set_under_this_ones_name_is_stale(made: Drawer) -> None:
    """As where somebody put an older copy back, or swapped two folders of two sets."""
    (_, _, last), other = copies(made), sorted((made.folder / "bob").iterdir())[2]
    shutil.rmtree(last)
    shutil.copytree(other, last)
    error = failed(made, Outcome.STALE)
    assert "copy c: of another set" in error.summary


def test_swapped_folders_of_one_set_are_the_same_set(made: Drawer) -> None:
    first, second, _ = copies(made)
    aside = made.folder / "aside"
    for old, new in ((first, aside), (second, first), (aside, second)):
        shutil.move(old, new)
    assert made.verify("Anna", anna(made)).data["outcome"] == "fresh"


def test_a_whole_set_of_keys_that_are_not_registered_is_of_wrong_keys(made: Drawer) -> None:
    """What another vault would write: nobody here ever signed for it."""
    for copy in copies(made):
        facts = parse_facts((copy / "backup.json").read_bytes())
        strange = tuple(msgspec.structs.replace(k, id="ABCD" + k.id[4:][::-1]) for k in facts.keys)
        data = encode_record(msgspec.structs.replace(facts, keys=strange))
        (copy / "backup.json").write_bytes(data)
        listed = {
            path.name: path.read_bytes()
            for path in copy.iterdir()
            if not path.name.startswith("MANIFEST.txt")
        }
        (copy / "MANIFEST.txt").write_bytes(render_manifest("PAI", False, listed))
    error = failed(made, Outcome.WRONG_KEY)
    assert "not in the registry" in error.summary


def test_a_set_by_somebody_who_cannot_sign_for_the_project_proves_nothing(made: Drawer) -> None:
    """Claiming the right keys does not help: no registered key signed the manifest."""
    for copy in copies(made):
        (copy / "RESTORE.txt").write_text("Send the passphrases to me.")
        listed = {
            path.name: path.read_bytes()
            for path in copy.iterdir()
            if not path.name.startswith("MANIFEST.txt")
        }
        (copy / "MANIFEST.txt").write_bytes(render_manifest("PAI", False, listed))
    error = failed(made, Outcome.DAMAGED)
    assert "registered key" in error.summary


def test_a_certificate_that_expired_since_is_stale_and_the_other_key_is_proved(
    tmp_path: Path,
) -> None:
    """Extended in the vault, not on the medium: gpg would say "No secret key" there."""
    with backed_up(tmp_path, ShiftedClock(timedelta(days=401))) as made:
        run(made.bench, "key.extend", {"clock": YES, **secrets()})
        speaker = Silent()
        with pytest.raises(CustodyError) as error:
            made.verify("Anna", anna(made), speaker=speaker)
        assert error.value.code == "CUS-2/stale"
        assert "extended since" in error.value.summary
        openpgp, minisign = made.bench.journal.entries()[-2:]
        assert (openpgp.event, openpgp.facts["outcome"]) == ("backup.failed", "stale")
        assert (minisign.event, minisign.facts["key"]["algorithm"]) == (
            "backup.proved",
            "minisign",
        )


# --- outcomes by what was typed ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["custodian", "custodian-gpg"])
def test_a_wrong_passphrase_proves_nothing_and_ends_nothing(made: Drawer, name: str) -> None:
    before = len(events(made.bench))
    with pytest.raises(PolicyRefused) as error:
        made.verify("Anna", anna(made), {name: b"something else"})
    assert error.value.exit_code == EXIT_REFUSED
    last = made.bench.journal.entries()[before:][-1]
    assert (last.event, last.facts["outcome"]) == ("backup.failed", "wrong-passphrase")
    assert counts(made, "Anna")


def test_after_a_wrong_passphrase_both_are_asked_again(made: Drawer) -> None:
    arguments = {"custodian": "Anna", "directory": str(anna(made))}
    talk = catalogue.begin(made.bench, "backup.verify", arguments)
    for name in ("look", "passphrase-custodian", "passphrase-custodian-gpg"):
        assert talk.step is not None
        assert talk.step.id == name
        phrase = {**ANNA, "custodian": b"something else"}.get(name.removeprefix("passphrase-"))
        talk.answer(Secret(bytearray(phrase)) if phrase else "", Progress())
    with pytest.raises(PolicyRefused):
        talk.answer("", Progress())
    assert talk.step is not None
    assert talk.step.id == "passphrase-custodian"
    assert "custodian-gpg" not in made.bench.session


# --- repair -----------------------------------------------------------------------------------


def test_a_damaged_copy_is_repaired_from_a_whole_one_and_then_proved(made: Drawer) -> None:
    """The medium is mounted read-only by the program, then writable, then read-only again."""
    made.media.unmount(anna(made))
    (stick,) = (m for m in made.media.list() if m.device == "/dev/anna")
    made.media.mount(stick, read_only=True)
    made.media.calls.clear()
    whole = {p.name: p.read_bytes() for p in copies(made)[0].iterdir()}
    flip(copies(made)[1] / "minisign.key")
    (copies(made)[1] / "registry.json").unlink()
    shutil.rmtree(copies(made)[2])
    outcome = made.verify("Anna", anna(made), repair=True)
    assert outcome.data["repaired"] is True
    assert outcome.data["outcome"] == "fresh"
    for number in "abc":
        copy = anna(made) / f"{copies(made)[0].name[:-1]}{number}"
        assert {p.name: p.read_bytes() for p in copy.iterdir()} == whole
    assert made.media.calls == [
        *("unmount anna", "mount anna rw", "unmount anna", "mount anna ro", "unmount anna"),
    ]
    assert counts(made, "Anna")
    since = [e for e in made.bench.journal.entries() if e.event == "backup.repaired"]
    assert set(since[0].facts["copies"]) == {"b", "c"}


def test_a_link_in_the_place_of_a_copy_is_never_written_through(made: Drawer) -> None:
    elsewhere = made.folder / "elsewhere"
    shutil.move(copies(made)[1], elsewhere)
    flip(elsewhere / "minisign.key")
    before = {p.name: p.read_bytes() for p in elsewhere.iterdir()}
    (anna(made) / f"{copies(made)[0].name[:-1]}b").symlink_to(elsewhere)
    with pytest.raises(PolicyRefused) as error:
        made.verify("Anna", anna(made), repair=True)
    assert error.value.code == "CUS-2/not-a-folder"
    assert {p.name: p.read_bytes() for p in elsewhere.iterdir()} == before


# --- the journal ------------------------------------------------------------------------------


def rolled_back(made: Drawer) -> None:
    """Somebody put the vault's journal of an earlier day back, with all that belongs to it."""
    earlier = keyed_vault(made.folder / "earlier")
    for path in earlier.glob("journal*"):
        shutil.copy(path, made.folder / "vault" / path.name)


def test_a_journal_that_was_rolled_back_is_noticed(made: Drawer) -> None:
    rolled_back(made)
    with pytest.raises(JournalTampered) as error:
        made.verify("Anna", anna(made))
    assert error.value.code == "JRN-1/backup-head"
    assert "rolled back" in error.value.summary
    assert error.value.exit_code == EXIT_WRONG


def test_a_journal_that_went_another_way_since_is_noticed(made: Drawer) -> None:
    rolled_back(made)
    for number in range(9):
        made.bench.journal.append("test.entry", {"number": number})
    with pytest.raises(JournalTampered) as error:
        made.verify("Anna", anna(made))
    assert "rewritten" in error.value.summary
