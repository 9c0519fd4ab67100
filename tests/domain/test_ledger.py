"""The ledger of custody: what counts, what ends it, what counts once (CUS-3, POL-7)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from pai_signer.domain.custody import BACKUP_PROVED, MediumIdentity, Outcome, WithdrawalCause
from pai_signer.domain.journal import next_entry
from pai_signer.domain.ledger import CustodyStatus, Ledger
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.profile import CustodyRules
from pai_signer.errors import JournalTampered
from tests.custody import (
    BOTH,
    FIRST_DAY,
    MINISIGN_KEY,
    OPENPGP_KEY,
    CustodyJournal,
    salt_of,
    stick,
)

RULES: Final = CustodyRules(custodians=2, media=2, proof_days=180)
ONE, TWO, THREE = (stick("1111-1111", "S1", "PAI-A"), stick("2222-2222", "S2"), stick("3333-3333"))


def custody(
    journal: CustodyJournal, day: float, rules: CustodyRules = RULES, key: str = MINISIGN_KEY.id
) -> CustodyStatus:
    return journal.ledger().custody_of(key, rules, FIRST_DAY + timedelta(days=day))


def two_proved() -> CustodyJournal:
    journal = CustodyJournal()
    journal.created(0, "Anna", ONE, number=1)
    journal.proved(0, "Anna", ONE, number=1)
    journal.created(1, "Bob", TWO, number=2)
    journal.proved(1, "Bob", TWO, number=2)
    return journal


def test_two_custodians_on_two_media_are_enough_until_the_older_proof_is_too_old() -> None:
    journal = two_proved()
    status = custody(journal, 2)
    assert status.is_enough
    assert {(p.custodian, p.medium.uuid) for p in status.pairs} == {
        ("Anna", ONE.uuid),
        ("Bob", TWO.uuid),
    }
    assert status.due == FIRST_DAY + timedelta(days=180)
    assert status.oldest is not None
    assert (status.oldest.custodian, status.oldest.source) == ("Anna", "here")
    assert status.text == "2 of 2 custodians proved on 2 media"
    assert custody(journal, 179.99).is_enough
    late = custody(journal, 180)
    assert not late.is_enough
    assert late.due is None
    assert late.text == (
        "1 of 2 custodians proved; Anna on PAI-A (1111-1111): "
        "its proof of 2026-03-02 is older than 180 days"
    )


def test_both_keys_are_asked_for_each() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Anna", ONE)
    journal.proved(0, "Bob", TWO, MINISIGN_KEY)
    assert custody(journal, 1).is_enough
    assert not custody(journal, 1, key=OPENPGP_KEY.id).is_enough


def test_nothing_known_says_so() -> None:
    assert custody(CustodyJournal(), 0).text == "0 of 2 custodians proved; no backup is known"
    assert Ledger().rows == ()


Change = Callable[[CustodyJournal], None]


def failing(outcome: Outcome) -> Change:
    return lambda journal: journal.failed(5, "bob", TWO, outcome)


def newer_and_older_proved(journal: CustodyJournal) -> None:
    journal.created(5, "Bob", TWO, number=9)
    journal.proved(6, "Bob", TWO, number=2)


#: What makes the proofs of ``two_proved`` no longer enough on day 10, and why.
SPOILT: Final[dict[str, tuple[Change, str]]] = {
    **{
        outcome.value: (
            failing(outcome),
            f"Bob on 2222-2222: {outcome.value} when last looked at, on 2026-03-07",
        )
        for outcome in (
            Outcome.STALE,
            Outcome.WRONG_KEY,
            Outcome.OTHER_CUSTODIAN,
            Outcome.DAMAGED,
            Outcome.UNREADABLE,
            Outcome.EMPTY,
        )
    },
    "damaged, seen with another filesystem on that device": (
        lambda j: j.failed(5, "Bob", stick("9999-9999", "S2"), Outcome.EMPTY),
        "empty when last looked at",
    ),
    "that key damaged": (
        lambda j: j.failed(5, "Bob", TWO, Outcome.DAMAGED, MINISIGN_KEY),
        "damaged when last looked at",
    ),
    "the medium lost": (
        lambda j: j.withdrawn(5, WithdrawalCause.MEDIUM_LOST, medium=TWO),
        "Bob on 2222-2222: withdrawn (medium-lost) on 2026-03-07",
    ),
    "the custodian gone": (
        lambda j: j.withdrawn(5, WithdrawalCause.CUSTODIAN_LEFT, custodian=" BOB "),
        "withdrawn (custodian-left)",
    ),
    "the passphrase of that set lost": (
        lambda j: j.withdrawn(5, WithdrawalCause.PASSPHRASE_LOST, custodian="Bob", number=2),
        "withdrawn (passphrase-lost)",
    ),
    "a newer set, not proved": (
        lambda j: j.created(5, "Bob", TWO, number=9),
        "Bob on 2222-2222: a newer set, 9, lies there and was never proved",
    ),
    "a newer set, and the older one proved again": (
        newer_and_older_proved,
        "a newer set, 9, lies there and was never proved",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_it_ends_a_proof_and_says_why(case: str) -> None:
    change, why = SPOILT[case]
    journal = two_proved()
    change(journal)
    status = custody(journal, 10)
    assert not status.is_enough
    assert len(status.pairs) == 1
    assert why in status.text


@pytest.mark.parametrize("case", SPOILT)
def test_a_new_proof_afterwards_counts_again(case: str) -> None:
    journal = two_proved()
    SPOILT[case][0](journal)
    journal.proved(7, "Bob", TWO, number=9)
    assert custody(journal, 10).is_enough
    assert "Bob" in journal.ledger().custodians()


#: What changes nothing about the proofs of ``two_proved``.
HARMLESS: Final[dict[str, Change]] = {
    "a mistyped passphrase": lambda j: j.failed(5, "Bob", TWO, Outcome.WRONG_PASSPHRASE),
    "an old key": lambda j: j.failed(5, "Bob", TWO, Outcome.SUPERSEDED_KEY),
    "damage of the other key's file": lambda j: j.failed(
        5, "Bob", TWO, Outcome.DAMAGED, OPENPGP_KEY
    ),
    "damage on another medium": lambda j: j.failed(5, "Bob", THREE, Outcome.DAMAGED),
    "damage of the other custodian's set": lambda j: j.failed(5, "Anna", TWO, Outcome.DAMAGED),
    "another medium lost": lambda j: j.withdrawn(5, WithdrawalCause.MEDIUM_LOST, medium=THREE),
    "another set withdrawn": lambda j: j.withdrawn(
        5, WithdrawalCause.PASSPHRASE_LOST, custodian="Bob", number=1
    ),
    "a set of the other key": lambda j: j.created(5, "Bob", TWO, OPENPGP_KEY, number=9),
    "a set on a third medium": lambda j: j.created(5, "Bob", THREE, number=9),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_it_ends_nothing(case: str) -> None:
    journal = two_proved()
    HARMLESS[case](journal)
    assert custody(journal, 10).is_enough


def test_a_proof_from_the_future_does_not_count_yet() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Bob", TWO)
    journal.accepted(1, "Anna", ONE, proved_on=50)
    assert not custody(journal, 2).is_enough
    assert "dated 2026-04-21, in the future" in custody(journal, 2).text
    assert custody(journal, 50).is_enough


def test_a_proof_from_no_medium_or_without_salts_does_not_count() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Bob", TWO)
    journal.proved(0, "Anna", MediumIdentity())
    assert "Anna on an unknown medium: proved, but from no removable" in custody(journal, 1).text
    journal.proved(0, "Anna", ONE, salts=())
    assert not custody(journal, 1).is_enough
    assert "without the salts" in custody(journal, 1).text


# --- what counts once ------------------------------------------------------------------------


def test_two_custodians_on_one_medium_count_once() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Anna", ONE)
    journal.proved(0, "Bob", ONE)
    status = custody(journal, 1)
    assert not status.is_enough
    assert status.text == "Anna and Bob proved, but on 1 medium of 2 wanted"


def test_one_device_formatted_again_is_one_medium() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Anna", stick("1111-1111", "S1"))
    journal.proved(0, "Bob", stick("2222-2222", "S1"))
    assert not custody(journal, 1).is_enough


def test_one_medium_whose_serial_was_seen_once_only_is_known_again() -> None:
    journal = CustodyJournal()
    journal.created(0, "Carl", stick("1111-1111", "S1"), OPENPGP_KEY)
    journal.created(0, "Carl", stick("2222-2222", "S1"), OPENPGP_KEY)
    journal.proved(1, "Anna", stick("1111-1111"))
    journal.proved(1, "Bob", stick("2222-2222"))
    assert not custody(journal, 2).is_enough


def test_one_custodian_in_two_spellings_counts_once() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Anna Weiß", ONE)
    journal.proved(0, " ANNA   WEISS ", TWO)
    status = custody(journal, 1)
    assert not status.is_enough
    assert len(status.custodians) == 1


def test_a_copied_file_counts_for_its_owner_only() -> None:
    """One salt is one file under one passphrase, whoever says that it is theirs."""
    journal = CustodyJournal()
    salts = (salt_of("Anna", ONE, MINISIGN_KEY, 1),)
    journal.proved(0, "Anna", ONE, MINISIGN_KEY)
    journal.proved(0, "Bob", TWO, MINISIGN_KEY, salts=salts)
    status = custody(journal, 1)
    assert not status.is_enough
    assert "Bob on 2222-2222: a copy of the file of Anna: it has the same salt" in status.text


def test_copies_of_one_file_on_several_media_count_as_one_medium() -> None:
    rules = CustodyRules(custodians=1, media=2, proof_days=180)
    journal = CustodyJournal()
    salts = (salt_of("Anna", ONE, MINISIGN_KEY, 1),)
    journal.proved(0, "Anna", ONE, MINISIGN_KEY)
    journal.proved(0, "Anna", TWO, MINISIGN_KEY, salts=salts)
    assert custody(journal, 1, rules).media == 1
    assert not custody(journal, 1, rules).is_enough
    journal.proved(0, "Anna", THREE, MINISIGN_KEY)
    assert custody(journal, 1, rules).is_enough


def test_pairs_are_matched_and_not_counted_one_by_one() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Anna", ONE)
    journal.proved(0, "Bob", ONE)
    journal.proved(0, "Bob", TWO)
    assert custody(journal, 1).is_enough
    three = CustodyRules(custodians=3, media=3, proof_days=180)
    journal.proved(0, "Carl", ONE)
    journal.proved(0, "Anna", THREE)
    assert custody(journal, 1, three).is_enough  # Anna 3, Bob 2, Carl 1


def test_enough_of_each_and_still_no_pairs() -> None:
    """Two custodians and two media, but one of them holds nothing alone."""
    rules = CustodyRules(custodians=3, media=3, proof_days=180)
    journal = CustodyJournal()
    for medium in (ONE, TWO, THREE):
        journal.proved(0, "Anna", medium)
    journal.proved(0, "Bob", ONE)
    journal.proved(0, "Carl", ONE)
    status = custody(journal, 1, rules)
    assert (len(status.custodians), status.media, len(status.pairs)) == (3, 3, 2)
    assert not status.is_enough
    assert status.text == "2 of 3 custodians proved, each on a medium of their own"


def test_the_pairs_that_hold_longest_are_named() -> None:
    journal = two_proved()
    journal.proved(100, "Anna", THREE)
    journal.proved(120, "Bob", ONE)
    status = custody(journal, 130)
    assert status.due == FIRST_DAY + timedelta(days=280)
    assert {(p.custodian, p.medium.uuid) for p in status.pairs} == {
        ("Anna", THREE.uuid),
        ("Bob", ONE.uuid),
    }


# --- what other workstations proved -----------------------------------------------------------


def test_an_accepted_proof_counts_with_its_own_date() -> None:
    journal = CustodyJournal()
    journal.proved(0, "Bob", TWO)
    journal.accepted(30, "Anna", ONE, proved_on=10)
    status = custody(journal, 31)
    assert status.is_enough
    assert {p.source for p in status.pairs} == {"here", "a" * 64}
    assert not custody(journal, 190).is_enough


def test_an_old_proof_that_comes_late_revives_nothing() -> None:
    journal = two_proved()
    journal.withdrawn(20, WithdrawalCause.CUSTODIAN_LEFT, custodian="Bob")
    journal.accepted(30, "Bob", TWO, proved_on=15)
    journal.accepted(31, "Bob", THREE, proved_on=20)
    assert not custody(journal, 32).is_enough
    assert journal.ledger().custodians() == ("Anna",)
    journal.accepted(33, "Bob", THREE, proved_on=21)
    assert custody(journal, 34).is_enough
    assert journal.ledger().custodians() == ("Anna", "Bob")


def test_an_old_proof_that_comes_late_does_not_hide_a_newer_one() -> None:
    journal = two_proved()
    journal.accepted(30, "Bob", TWO, proved_on=-10)
    (row,) = [r for r in journal.ledger().rows_of(MINISIGN_KEY.id) if r.custodian == "Bob"]
    assert row.proof is not None
    assert row.proof.source == "here"


def test_a_proof_that_comes_twice_is_taken_once() -> None:
    journal = CustodyJournal()
    journal.accepted(30, "Bob", TWO, proved_on=10)
    journal.failed(31, "Bob", TWO, Outcome.DAMAGED)
    journal.accepted(32, "Bob", TWO, proved_on=10, attestation="b" * 64)
    (row, _) = journal.ledger().rows
    assert row.proof is not None
    assert row.proof.source == "a" * 64
    assert row.ended


# --- rows ----------------------------------------------------------------------------------------


def test_what_should_lie_on_a_medium_is_known() -> None:
    journal = two_proved()
    ledger = journal.ledger()
    assert {(r.key_id, r.set_number) for r in ledger.expected_on(TWO)} == {
        (key.id, 2) for key in BOTH
    }
    assert len(ledger.expected_on(stick("new", "S2"))) == 2
    assert ledger.expected_on(THREE) == ()
    assert ledger.expected_on(MediumIdentity()) == ()
    journal.withdrawn(5, WithdrawalCause.MEDIUM_DAMAGED, medium=TWO)
    assert journal.ledger().expected_on(TWO) == ()


def test_a_set_that_was_never_proved_is_a_row_and_a_custodian() -> None:
    journal = CustodyJournal()
    journal.created(0, "Anna", ONE, number=3)
    (row, other) = journal.ledger().rows
    assert (row.proof, row.set_number, row.salts) == (
        None,
        3,
        (salt_of("Anna", ONE, MINISIGN_KEY, 3),),
    )
    assert other.key_id == OPENPGP_KEY.id
    assert journal.ledger().custodians() == ("Anna",)
    assert custody(journal, 1).text == (
        "0 of 2 custodians proved; Anna on PAI-A (1111-1111): never proved"
    )


# --- a journal that makes no sense ------------------------------------------------------------


def proved_facts_of(journal: CustodyJournal) -> dict[str, Any]:
    return dict(next(e.facts for e in journal.entries if e.event == BACKUP_PROVED))


NONSENSE: Final[dict[str, dict[str, Any]]] = {
    "another challenge": {"challenge_sha256": "0" * 64},
    "an unknown field": {"new": 1},
    "no salts": {"salts": "x"},
    "another system": {"key": {"algorithm": "rsa", "id": "1"}},
}


@pytest.mark.parametrize("case", NONSENSE)
def test_a_proof_that_makes_no_sense_stops_everything(case: str) -> None:
    journal = two_proved()
    facts = {**proved_facts_of(journal), **NONSENSE[case]}
    entry = next_entry(journal.entries[-1], journal.entries[-1].time, BACKUP_PROVED, facts)
    with pytest.raises(JournalTampered) as error:
        read_ledger([*journal.entries, entry])
    assert f"entry {entry.n} (backup.proved)" in error.value.summary


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_an_accepted_proof_from_no_time_of_ours_makes_no_sense(at: str) -> None:
    journal = CustodyJournal()
    journal.accepted(30, "Anna", ONE, MINISIGN_KEY, proved_on=10)
    journal.entries[0].facts["proofs"][0]["at"] = at
    with pytest.raises(JournalTampered):
        journal.ledger().custody_of(MINISIGN_KEY.id, RULES, FIRST_DAY)


def test_a_withdrawal_of_nothing_makes_no_sense() -> None:
    journal = two_proved()
    journal.withdrawn(5, WithdrawalCause.MEDIUM_LOST)
    with pytest.raises(JournalTampered):
        journal.ledger()


def test_a_set_that_was_cut_short_is_known_until_it_is_made_good() -> None:
    journal = CustodyJournal()
    first = journal.begun(0, "Anna", ONE)
    journal.begun(1, "Bob", TWO)
    assert [(one.custodian, one.medium) for one in read_ledger(journal.entries).cut_short] == [
        ("Anna", ONE),
        ("Bob", TWO),
    ]
    assert read_ledger(journal.entries).rows == (), "it counts for nothing"
    journal.created(2, "Anna", THREE, number=99)
    assert len(read_ledger(journal.entries).cut_short) == 2, "another medium makes good for nothing"
    journal.created(3, "anna", ONE, number=first)
    assert [one.custodian for one in read_ledger(journal.entries).cut_short] == ["Bob"]


def test_a_set_in_one_folder_makes_good_for_none_in_another() -> None:
    """Media that nobody can tell apart are not one medium."""
    journal = CustodyJournal()
    first = journal.begun(0, "Anna", MediumIdentity())
    journal.created(1, "Anna", MediumIdentity(), number=99)
    assert [one.set_number for one in read_ledger(journal.entries).cut_short] == [first]
    journal.created(2, "Anna", MediumIdentity(), number=first)
    assert read_ledger(journal.entries).cut_short == ()


@pytest.mark.parametrize(
    ("custodian", "medium", "number", "left"),
    [
        ("Bob", MediumIdentity(), None, ["Anna"]),
        ("", TWO, None, ["Anna"]),
        ("Bob", TWO, None, ["Anna"]),
        ("Bob", ONE, None, ["Anna", "Bob"]),
        ("Bob", TWO, 77, ["Anna", "Bob"]),
    ],
)
def test_nobody_is_told_of_a_set_on_a_medium_that_was_given_up(
    custodian: str, medium: MediumIdentity, number: int | None, left: list[str]
) -> None:
    journal = CustodyJournal()
    journal.begun(0, "Anna", ONE)
    journal.begun(0, "Bob", TWO)
    lost = WithdrawalCause.MEDIUM_LOST
    journal.withdrawn(1, lost, custodian=custodian, medium=medium, number=number)
    assert [one.custodian for one in read_ledger(journal.entries).cut_short] == left


def test_entries_of_other_events_are_passed_over() -> None:
    journal = two_proved()
    before = journal.ledger()
    last = journal.entries[-1]
    journal.entries.append(next_entry(last, last.time, "release.signed", {"anything": 1}))
    assert journal.ledger() == before
