"""The menu of a workstation: reasons of its entries, and few reads of the journal (FACE-1)."""

from contextlib import ExitStack

import pytest

from pai_signer.adapters.journal_file import FileJournal
from pai_signer.domain.release_index import INDEX_NAME
from pai_signer.faces.menu_reasons import why_not
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows import catalogue
from pai_signer.workflows.workbench import Workbench


def test_every_reason_is_of_an_entry(keyed: Workbench) -> None:
    """A name that no entry has would be a reason that nobody is ever told."""
    assert set(why_not(keyed)) <= {entry.id for entry in catalogue.CATALOGUE}


def test_a_damaged_index_takes_no_other_entry_away(keyed: Workbench) -> None:
    """In the moment of trouble a key can be revoked, and a backup proved."""
    keyed.index_store.save({INDEX_NAME: b"{"})
    actions = {action.id: action for action in WorkstationDesk(keyed, ExitStack()).actions()}
    assert INDEX_NAME in actions["release.index"].unavailable_because
    assert INDEX_NAME in actions["release.deprecate"].unavailable_because
    assert actions["key.revoke"].unavailable_because == ""


def test_a_menu_reads_the_journal_a_few_times_and_not_once_for_each_entry(
    keyed: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reads = FileJournal.entries, []

    def entries(self: FileJournal) -> object:
        reads.append(self)
        return real(self)

    monkeypatch.setattr(FileJournal, "entries", entries)
    actions = WorkstationDesk(keyed, ExitStack()).actions()
    assert 0 < len(reads) < len(actions) // 3
