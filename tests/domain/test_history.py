"""What was signed, as the journal tells it (POL-3, POL-4, POL-5)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pai_signer.domain.custody import CUSTODY_RESTORED, MediumIdentity, RestoredFacts
from pai_signer.domain.history import (
    DISCARDED,
    EXPORTED,
    SIGNED,
    SIGNING,
    DiscardedFacts,
    SignedFacts,
    SignedFile,
    SigningFacts,
    Visited,
    read_history,
)
from pai_signer.domain.journal import JournalEntry, next_entry
from pai_signer.errors import JournalTampered

Events = list[tuple[str, Mapping[str, Any]]]


def entries(events: Events) -> tuple[JournalEntry, ...]:
    made: list[JournalEntry] = []
    for event, facts in events:
        last = made[-1] if made else None
        made.append(next_entry(last, datetime(2026, 1, 1, tzinfo=UTC), event, facts))
    return tuple(made)


def signing(version: str, visit: Visited) -> tuple[str, Mapping[str, Any]]:
    facts = SigningFacts(
        version=version,
        visit=visit,
        candidate_sha256="0" * 64,
        manifest=(SignedFile(name="a", sha256="1" * 64),) if visit != "tag" else (),
        manifest_sha256="2" * 64 if visit != "tag" else None,
        commit="3" * 40 if visit != "manifest" else None,
    )
    return SIGNING, msgspec.to_builtins(facts)


def signed(version: str, visit: Visited) -> tuple[str, Mapping[str, Any]]:
    receipt = "receipt-tag.json" if visit == "tag" else "receipt.json"
    facts = SignedFacts(
        version=version,
        visit=visit,
        receipt=receipt,
        files={receipt: "4" * 64},
        tag_oid="5" * 40 if visit != "manifest" else None,
    )
    return SIGNED, msgspec.to_builtins(facts)


def discarded(version: str, visit: Visited) -> tuple[str, Mapping[str, Any]]:
    facts = DiscardedFacts(version=version, visit=visit, why="test")
    return DISCARDED, msgspec.to_builtins(facts)


def test_one_visit_is_one_release() -> None:
    history = read_history(entries([signing("v1.0.0", "all"), signed("v1.0.0", "all")]))
    release = history.find("v1.0.0")
    assert release is not None
    assert (release.manifest_sha256, release.commit) == ("2" * 64, "3" * 40)
    assert history.unfinished == ()
    assert history.find("v1.0.1") is None


@pytest.mark.parametrize("order", [("tag", "manifest"), ("manifest", "tag")])
def test_two_visits_are_one_release(order: tuple[Visited, Visited]) -> None:
    events = [make("v1.0.0", visit) for visit in order for make in (signing, signed)]
    (release,) = read_history(entries(events)).releases
    assert release.visits == order
    assert set(release.files) == {"receipt.json", "receipt-tag.json"}
    assert release.manifest_sha256
    assert release.tag_oid


def test_a_visit_that_never_ended_is_unfinished_and_not_signed() -> None:
    history = read_history(entries([signing("v1.0.0", "all")]))
    assert history.find("v1.0.0") is None
    assert history.unfinished_visit("v1.0.0") is not None


def test_a_discarded_visit_is_neither() -> None:
    history = read_history(entries([signing("v1.0.0", "all"), discarded("v1.0.0", "all")]))
    assert history.releases == ()
    assert history.unfinished == ()


def test_an_unfinished_second_visit_leaves_the_first_as_it_was() -> None:
    events = [signing("v1.0.0", "tag"), signed("v1.0.0", "tag"), signing("v1.0.0", "manifest")]
    history = read_history(entries(events))
    release = history.find("v1.0.0")
    assert release is not None
    assert release.manifest_sha256 is None
    assert len(history.unfinished) == 1


def test_an_export_is_remembered() -> None:
    events = [signing("v1.0.0", "all"), signed("v1.0.0", "all"), (EXPORTED, {"version": "v1.0.0"})]
    (release,) = read_history(entries(events)).releases
    assert release.exported


def test_events_of_others_are_passed_over() -> None:
    assert read_history(entries([("vault.created", {}), ("later.event", {"x": 1})])).releases == ()


@pytest.mark.parametrize(
    "events",
    [
        [signed("v1.0.0", "all")],
        [(EXPORTED, {"version": "v1.0.0"})],
        [(EXPORTED, {})],
        [(SIGNING, {"version": "v1.0.0"})],
        [signing("v1.0.0", "all"), signed("v1.0.1", "all")],
        [signing("v1.0.0", "all"), discarded("v1.0.0", "all"), signed("v1.0.0", "all")],
        [(DISCARDED, {"version": 1})],
    ],
)
def test_entries_that_make_no_sense_are_no_history(events: Events) -> None:
    with pytest.raises(JournalTampered) as error:
        read_history(entries(events))
    assert error.value.code == "JRN-2/meaning"


# --- a journal that was restored from a backup (CUS-4) ------------------------------------------


def restored(compared_with: str, missing: int = 0) -> tuple[str, Mapping[str, Any]]:
    facts = RestoredFacts(
        custodian="Anna Adams",
        medium=MediumIdentity(uuid="1A2B-3C4D"),
        set_number=2,
        keys=(),
        registry_serial=1,
        journal_n=2,
        journal_hash="6" * 64,
        compared_with=compared_with,
        missing=missing,
        born_as="7" * 64,
    )
    return CUSTODY_RESTORED, msgspec.to_builtins(facts)


BEFORE: Events = [signing("v1.0.0", "all"), signed("v1.0.0", "all")]


def test_a_restored_journal_that_was_compared_has_no_gap() -> None:
    assert read_history(entries([*BEFORE, restored("2 abc")])).gap is None


@pytest.mark.parametrize(
    ("event", "says"),
    [(restored(""), "may lack newer entries"), (restored("9 abc", missing=7), "lacks 7 entries")],
)
def test_a_restored_journal_may_lack_releases(
    event: tuple[str, Mapping[str, Any]], says: str
) -> None:
    gap = read_history(entries([*BEFORE, event])).gap
    assert gap is not None
    assert gap.before == ("v1.0.0",)
    assert says in gap.text
    assert "as of entry 2" in gap.text


def test_a_visit_that_was_open_then_may_have_ended_elsewhere() -> None:
    events = [*BEFORE, signing("v1.1.0", "all"), restored("2 abc"), discarded("v1.1.0", "all")]
    assert read_history(entries(events)).gap is not None
