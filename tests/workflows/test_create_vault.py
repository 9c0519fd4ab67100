"""A new vault: who, where, and no second one in its place."""

from pathlib import Path

import pytest

from pai_signer.adapters.journal_file import begin_journal
from pai_signer.composition import built_in_profile, make_vault, open_workbench
from pai_signer.domain.progress import Progress
from pai_signer.errors import FormatError, SignerError, UsageError
from pai_signer.workflows.create_vault import CreateVaultState, create_vault
from pai_signer.workflows.engine import Conversation, Session
from pai_signer.workflows.script import MemoryStates, play
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.workflows.bench import Silent, keyed_vault


def conversation(place: Path) -> Conversation[CreateVaultState]:
    workflow = create_vault(
        str(place), lambda name, email: make_vault(place, built_in_profile(), name, email)
    )
    return Conversation(workflow, MemoryStates(), Session())


def test_a_vault_is_made_and_its_birth_journalled(tmp_path: Path) -> None:
    answers = {"maintainer": "Mia M\u00fcller", "email": "mia@example.org"}
    outcome = play(conversation(tmp_path / "vault"), answers, Silent())
    assert outcome.data["maintainer"] == "Mia M\u00fcller"
    with open_workbench(tmp_path / "vault") as (bench, notes):
        (entry,) = bench.journal.entries()
        assert entry.event == "vault.created"
        assert entry.facts["maintainer"] == "Mia M\u00fcller <mia@example.org>"
        assert notes == ()
        assert not bench.info.rehearsal


def test_a_vault_whose_maker_was_killed_right_after_it_tells_its_birth(tmp_path: Path) -> None:
    place = tmp_path / "vault"
    play(conversation(place), {"maintainer": "Mia", "email": "mia@example.org"}, Silent())
    with open_workbench(place) as (bench, _):
        (told,) = bench.journal.entries()
    for name in ("journal.jsonl", "journal.head"):
        (place / name).unlink()
    begin_journal(place)  # as it is until the vault has its last file
    with open_workbench(place) as (bench, notes):
        (entry,) = bench.journal.entries()
        assert (entry.event, entry.facts) == (told.event, told.facts)
        assert len(notes) == 1
    with open_workbench(place) as (bench, notes):
        assert (len(bench.journal.entries()), notes) == (1, ())


def test_an_emptied_journal_of_a_vault_with_keys_is_given_no_birth(tmp_path: Path) -> None:
    vault = keyed_vault(tmp_path / "vault")
    for name in ("journal.jsonl", "journal.head"):
        (vault / name).unlink()
    begin_journal(vault)
    with open_workbench(vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        assert bench.journal.entries() == ()


@pytest.mark.parametrize("name", ["Mia <x", "Mia\nEve", "\x1b[31mMia", " Mia", "M" * 201, "\udcff"])
def test_a_name_that_cannot_stand_in_a_tag_is_refused(tmp_path: Path, name: str) -> None:
    begun = conversation(tmp_path / "vault")
    with pytest.raises(FormatError) as error:
        begun.answer(name, Progress())
    assert error.value.unchanged == "No vault was made."
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("email", ["mia", "a@b@c", "mia @example.org", "<mia@x>"])
def test_what_is_no_address_is_refused(tmp_path: Path, email: str) -> None:
    begun = conversation(tmp_path / "vault")
    begun.answer("Mia", Progress())
    with pytest.raises(FormatError):
        begun.answer(email, Progress())
    assert not (tmp_path / "vault").exists()


def test_a_second_vault_in_the_same_place_is_refused(tmp_path: Path) -> None:
    answers = {"maintainer": "Mia", "email": "mia@example.org"}
    play(conversation(tmp_path / "vault"), answers, Silent())
    before = (tmp_path / "vault" / "vault.json").read_bytes()
    with pytest.raises(UsageError):
        play(conversation(tmp_path / "vault"), {**answers, "maintainer": "Eve"}, Silent())
    assert (tmp_path / "vault" / "vault.json").read_bytes() == before


def test_a_folder_with_other_things_in_it_is_no_place_for_a_vault(tmp_path: Path) -> None:
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    (place / "letter").write_text("dear")
    with pytest.raises(SignerError):
        play(conversation(place), {"maintainer": "Mia", "email": "mia@example.org"}, Silent())
    assert [p.name for p in place.iterdir()] == ["letter"]
