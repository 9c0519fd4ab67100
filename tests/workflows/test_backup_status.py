"""The ledger in both faces: what is held by whom on what, and until when it counts (CUS-3)."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from pai_signer.domain.page import Mark, Page
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows.custody.backup_status import custody_pages
from pai_signer.workflows.workbench import Workbench
from tests.workflows.backups import Drawer, backed_up
from tests.workflows.bench import ShiftedClock, downloads, events, run, sign


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Drawer]:
    """Anna and Bob each hold a proved backup."""
    with backed_up(tmp_path) as drawer:
        yield drawer


def text_of(pages: tuple[Page, ...]) -> str:
    return "\n".join(f"{line.label}: {line.text}" for page in pages for line in page.lines)


def test_without_keys_it_says_so(empty: Workbench) -> None:
    assert "no active key" in text_of(custody_pages(empty))
    assert run(empty, "backup.status").data["keys"] == []


def test_without_backups_it_says_what_is_next(keyed: Workbench) -> None:
    outcome = run(keyed, "backup.status")
    assert len(outcome.pages) == 2
    assert "backup create" in text_of(outcome.pages)
    assert [key["enough"] for key in outcome.data["keys"]] == [False, False]
    assert outcome.data["backups"] == []


def test_each_key_with_its_custodians_media_and_dates(made: Drawer) -> None:
    before = events(made.bench)
    outcome = run(made.bench, "backup.status")
    assert events(made.bench) == before
    assert outcome.data["wanted"] == {"custodians": 2, "media": 2, "proof_days": 180}
    assert [key["enough"] for key in outcome.data["keys"]] == [True, True]
    assert all(key["due"] and key["oldest_proof"] for key in outcome.data["keys"])
    rows = outcome.data["backups"]
    assert {(row["custodian"], row["medium"]["uuid"]) for row in rows} == {
        ("Anna", "UUID-anna"),
        ("Bob", "UUID-bob"),
    }
    assert len(rows) == 4
    assert all(row["counts"] and row["salts"] and row["last_proof"] for row in rows)
    shown = text_of(outcome.pages)
    for word in ("Anna", "UUID-bob", "SERIAL-anna", "prove again by", "2 of 2"):
        assert word in shown


def test_a_proof_that_is_too_old_says_so_and_when(tmp_path: Path) -> None:
    with backed_up(tmp_path, ShiftedClock(timedelta(days=181))) as made:
        outcome = run(made.bench, "backup.status")
    assert [key["enough"] for key in outcome.data["keys"]] == [False, False]
    assert {row["counts"] for row in outcome.data["backups"]} == {False}
    assert "older than 180 days" in outcome.data["backups"][0]["why_not"]
    marks = {line.mark for page in outcome.pages for line in page.lines}
    assert Mark.OK not in marks


def test_the_app_shows_the_ledger_above_what_can_be_done(made: Drawer, empty: Workbench) -> None:
    desk = WorkstationDesk(made.bench, ExitStack())
    assert "Backups" in desk.groups
    assert "UUID-anna" in text_of(desk.group_pages("Backups"))
    here = {a.id: a.unavailable_because for a in desk.actions() if a.group == "Backups"}
    assert here["backup.create"] == here["backup.verify"] == here["backup.status"] == ""
    bare = WorkstationDesk(empty, ExitStack())
    why = {a.id: a.unavailable_because for a in bare.actions() if a.group == "Backups"}
    assert "no key" in why["backup.create"]
    assert "no key" in why["backup.verify"]


def test_a_release_is_signed_on_the_strength_of_two_proved_backups(made: Drawer) -> None:
    """No waiver: from the medium's files through the journal to POL-7."""
    run(made.bench, "release.import", directory=str(downloads()))
    sign(made.bench, **{"waive.POL-7": "not needed, and not used"})
    entry = next(e for e in made.bench.journal.entries() if e.event == "release.signing")
    (check,) = (c for c in entry.facts["checks"] if c["id"] == "POL-7")
    assert (check["result"], check["reason"]) == ("passed", "")
