"""Transcripts of ceremonies: listed, read, carried out, and never another one (KEY-1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pai_signer.domain.ceremony import TRANSCRIPT_NAME
from pai_signer.errors import CannotTell, DigestMismatch, PolicyRefused, UsageError
from pai_signer.workflows.ceremony.frame import TRANSCRIPT_TEXT
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import events, new_vault, opened, run, secrets

PEOPLE = {"second": "Ben", "witness": "Wim", "verdict": "disagree", "verdict-reason": "no light"}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Workbench]:
    """A vault in which one ceremony was held."""
    with opened(new_vault(tmp_path / "vault")) as bench:
        run(bench, "key.generate", {**PEOPLE, **secrets()}, only="minisign")
        yield bench


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    folder = tmp_path / "medium"
    folder.mkdir()
    return folder


def the_one(bench: Workbench) -> str:
    (name,) = bench.ceremonies.names()
    return name


def test_it_is_listed_and_shown(held: Workbench) -> None:
    (row,) = run(held, "ceremony.list").data["ceremonies"]
    assert (row["ceremony"], row["witness"]) == (the_one(held), "disagrees")
    shown = run(held, "ceremony.show", ceremony=the_one(held)).data
    assert "Wim DISAGREES" in shown["transcript"]
    assert "no light" in shown["transcript"]


def test_it_is_carried_out_whole_and_journalled(held: Workbench, medium: Path) -> None:
    name = the_one(held)
    data = run(held, "ceremony.export", directory=str(medium)).data
    folder = medium / "pai-ceremonies"
    assert data == {"folder": str(folder), "ceremonies": [name]}
    stored = held.ceremonies.load(name)
    assert {TRANSCRIPT_NAME, TRANSCRIPT_TEXT} == set(stored)
    assert {p.name: p.read_bytes() for p in (folder / name).iterdir()} == stored
    entry = held.journal.entries()[-1]
    assert entry.event == "ceremonies.exported"
    assert set(entry.facts["ceremonies"]) == {name}


def test_a_later_export_adds_to_the_same_medium(held: Workbench, medium: Path) -> None:
    run(held, "ceremony.export", directory=str(medium))
    first = the_one(held)
    run(held, "key.generate", secrets(), only="gpg")
    run(held, "ceremony.export", directory=str(medium))
    folders = {path.name for path in (medium / "pai-ceremonies").iterdir()}
    assert first in folders
    assert len(folders) == 2


@pytest.mark.parametrize("name", [TRANSCRIPT_NAME, TRANSCRIPT_TEXT])
def test_a_changed_transcript_is_neither_shown_nor_carried_out(
    held: Workbench, medium: Path, name: str
) -> None:
    stored = held.ceremonies.load(the_one(held))
    held.ceremonies.save(the_one(held), {name: stored[name].replace(b"Wim", b"Tim")})
    before = events(held)
    for entry, arguments in (
        ("ceremony.show", {"ceremony": the_one(held)}),
        ("ceremony.export", {"directory": str(medium)}),
        ("ceremony.list", {}),
    ):
        with pytest.raises(DigestMismatch) as error:
            run(held, entry, **arguments)
        assert error.value.code == "KEY-1/transcript-changed"
    assert list(medium.iterdir()) == []
    assert events(held) == before


def test_a_missing_transcript_is_no_silence(held: Workbench, medium: Path) -> None:
    held.ceremonies.delete(the_one(held))
    with pytest.raises(CannotTell, match="is gone"):
        run(held, "ceremony.export", directory=str(medium))
    with pytest.raises(CannotTell, match="is gone"):
        run(held, "ceremony.list")


def test_another_transcript_on_the_medium_is_never_overwritten(
    held: Workbench, medium: Path
) -> None:
    run(held, "ceremony.export", directory=str(medium))
    there = medium / "pai-ceremonies" / the_one(held) / TRANSCRIPT_TEXT
    there.write_text("signed by all, they say\n")
    with pytest.raises(PolicyRefused):
        run(held, "ceremony.export", directory=str(medium))
    assert there.read_text() == "signed by all, they say\n"


def test_where_none_was_held_there_is_nothing(empty: Workbench, medium: Path) -> None:
    assert run(empty, "ceremony.list").data == {"ceremonies": []}
    for entry in ("ceremony.show", "ceremony.export"):
        with pytest.raises(UsageError, match="No ceremony"):
            run(empty, entry, directory=str(medium))
    with pytest.raises(UsageError):
        run(empty, "ceremony.show", ceremony="../../keys")
