"""Three copies against their signed manifest: what is wrong where, and what mends it (CUS-2)."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    COPIES,
    SIGNATURE_NAMES,
    parse_manifest,
    render_manifest,
)
from pai_signer.domain.compare_copies import CopyRead, CopyState, SetCondition, compare_copies
from pai_signer.domain.custody import Outcome
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from tests.domain.test_backup import FACTS

NUMBER: Final = FACTS.number


def whole(number: int = NUMBER, **changes: Any) -> dict[str, bytes]:
    """The files of one copy, with signatures that the tests take for good."""
    head = JournalHead(n=number, hash="0" * 64)
    facts = msgspec.structs.replace(FACTS, number=number, journal_head=head, **changes)
    files = {
        "RESTORE.txt": b"card\n",
        "backup.json": encode_record(facts),
        "minisign.key": b"key of %d\n" % number,
        "journal.jsonl": b"line\n" * number,
    }
    manifest = render_manifest("PAI", False, files)
    signatures = dict.fromkeys(SIGNATURE_NAMES, b"signature over " + manifest)
    return {**files, BACKUP_MANIFEST_NAME: manifest, **signatures}


def read(files: Mapping[str, bytes], **changes: Any) -> CopyRead:
    """A copy that was read, its manifest taken where a signature over it is there."""
    manifest = files.get(BACKUP_MANIFEST_NAME, b"")
    good = frozenset(n for n in SIGNATURE_NAMES if files.get(n) == b"signature over " + manifest)
    digests = parse_manifest(manifest, "PAI", rehearsal=False) if good else None
    plain = CopyRead(files=files, good_signatures=good, manifest=digests)
    return replace(plain, **changes)


def compared(**changed: CopyRead | None) -> SetCondition:
    """Set ``NUMBER`` with these copies instead of whole ones; None: no such folder."""
    copies = {copy: changed.get(copy, read(whole())) for copy in COPIES}
    return compare_copies(NUMBER, {c: r for c, r in copies.items() if r is not None})


def spoiled(name: str, files: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    files = files or whole()
    return {**files, name: bytes([files[name][0] ^ 1]) + files[name][1:]}


def without(name: str) -> dict[str, bytes]:
    return {n: data for n, data in whole().items() if n != name}


def states(condition: SetCondition) -> list[CopyState]:
    return [c.state for c in condition.copies]


INTACT, DAMAGED = CopyState.INTACT, CopyState.DAMAGED


def test_three_whole_copies_are_intact() -> None:
    condition = compared()
    assert condition.outcome is None
    assert condition.intact == ("a", "b", "c")
    assert condition.facts == FACTS
    assert condition.texts == ()
    assert condition.repairs == {}
    assert condition.expected is not None
    assert set(condition.expected) == set(whole())


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("name", sorted(whole()))
def test_one_changed_byte_is_found_named_and_can_be_mended(copy: str, name: str) -> None:
    condition = compared(**{copy: read(spoiled(name))})
    assert condition.outcome is Outcome.DAMAGED
    (bad,) = [c for c in condition.copies if c.state is not INTACT]
    assert (bad.copy, bad.state) == (copy, DAMAGED)
    assert name in bad.differing
    assert condition.texts == (f"copy {copy}: damaged; differs: {name}",)
    source = "b" if copy == "a" else "a"
    assert condition.repairs == {copy: {name: source}}


@pytest.mark.parametrize("name", sorted(whole()))
def test_a_missing_file_is_damage(name: str) -> None:
    condition = compared(b=read(without(name)))
    assert condition.outcome is Outcome.DAMAGED
    assert condition.copies[1].missing == (name,)
    assert condition.repairs == {"b": {name: "a"}}


def test_a_truncated_file_is_damage() -> None:
    files = {**whole(), "journal.jsonl": b"line\n"}
    assert compared(c=read(files)).copies[2].differing == ("journal.jsonl",)


def test_damage_in_each_copy_is_mended_from_the_others() -> None:
    condition = compared(
        a=read(spoiled("minisign.key")),
        b=read(spoiled("RESTORE.txt")),
        c=read(spoiled("journal.jsonl")),
    )
    assert condition.intact == ()
    assert condition.repairs == {
        "a": {"minisign.key": "b"},
        "b": {"RESTORE.txt": "a"},
        "c": {"journal.jsonl": "a"},
    }


def test_what_is_damaged_in_all_three_cannot_be_mended() -> None:
    bad = read(spoiled("minisign.key"))
    condition = compared(a=bad, b=bad, c=bad)
    assert condition.outcome is Outcome.DAMAGED
    assert condition.repairs == {}
    assert condition.facts == FACTS


def test_three_that_agree_but_are_not_signed_are_not_intact() -> None:
    bad = read({**whole(), **dict.fromkeys(SIGNATURE_NAMES, b"x")})
    condition = compared(a=bad, b=bad, c=bad)
    assert states(condition) == [DAMAGED] * 3
    assert (condition.outcome, condition.expected, condition.facts) == (Outcome.DAMAGED, None, None)
    assert condition.repairs == {}


def test_a_signature_that_is_good_nowhere_is_damaged_everywhere() -> None:
    bad = read(spoiled("MANIFEST.txt.asc"))
    condition = compared(a=bad, b=bad, c=bad)
    assert states(condition) == [DAMAGED] * 3
    assert {c.differing for c in condition.copies} == {("MANIFEST.txt.asc",)}
    assert condition.repairs == {}


def test_a_set_signed_by_one_key_alone_is_intact() -> None:
    """A new key, backed up before it is active, comes with one signature."""
    one = read(without("MANIFEST.txt.asc"))
    assert compared(a=one, b=one, c=one).outcome is None


def test_two_that_agree_do_not_outvote_the_signed_one() -> None:
    forged = dict(spoiled("minisign.key"))
    forged[BACKUP_MANIFEST_NAME] = render_manifest(
        "PAI", False, {n: forged[n] for n in parse_manifest_of(forged)}
    )
    condition = compared(a=read(forged), b=read(forged))
    assert states(condition) == [DAMAGED, DAMAGED, INTACT]
    assert condition.repairs["a"]["minisign.key"] == "c"


def parse_manifest_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return parse_manifest(files[BACKUP_MANIFEST_NAME], "PAI", rehearsal=False)


# --- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [None, CopyRead()])
def test_a_folder_that_is_gone_or_empty_is_damage(gone: CopyRead | None) -> None:
    condition = compared(b=gone)
    assert condition.outcome is Outcome.DAMAGED
    assert condition.copies[1].state is CopyState.MISSING
    assert condition.texts == ("copy b: missing",)
    assert set(condition.repairs["b"]) == set(whole())


def test_nothing_at_all_is_missing_three_times() -> None:
    condition = compare_copies(NUMBER, {})
    assert states(condition) == [CopyState.MISSING] * 3
    assert condition.expected is None


def test_a_stale_copy_is_of_another_set() -> None:
    condition = compared(c=read(whole(11)))
    assert condition.outcome is Outcome.STALE
    assert states(condition) == [INTACT, INTACT, CopyState.OTHER_SET]
    assert condition.texts == ("copy c: of another set, number 11",)
    assert condition.repairs["c"]["minisign.key"] == "a"


def test_a_damaged_copy_of_another_set_is_damage() -> None:
    condition = compared(c=read(spoiled("minisign.key", whole(11))))
    assert condition.outcome is Outcome.DAMAGED


def test_three_renamed_folders_are_of_another_set() -> None:
    old = read(whole(11))
    condition = compared(a=old, b=old, c=old)
    assert condition.outcome is Outcome.STALE
    assert condition.expected is None
    assert condition.repairs == {}


def test_of_two_attempts_under_one_number_the_later_counts() -> None:
    later = read(whole(made_at=FACTS.made_at + timedelta(minutes=5)))
    assert states(compared(b=later, c=None)) == [DAMAGED, INTACT, CopyState.MISSING]
    assert states(compared(b=later)) == [INTACT, DAMAGED, INTACT]


def test_facts_that_the_manifest_does_not_vouch_for_count_for_nothing() -> None:
    other = encode_record(msgspec.structs.replace(FACTS, custodian="Eve"))
    condition = compared(**{c: read({**whole(), "backup.json": other}) for c in COPIES})
    assert condition.facts is None
    assert condition.outcome is Outcome.DAMAGED


# --- what could not be read -----------------------------------------------------------------------


def test_a_file_that_the_medium_does_not_give_is_unreadable() -> None:
    bad = read(
        without("minisign.key"),
        problems={"minisign.key": "I/O error"},
        unreadable=frozenset({"minisign.key"}),
    )
    condition = compared(b=bad)
    assert condition.outcome is Outcome.UNREADABLE
    assert condition.copies[1].unreadable == ("minisign.key",)
    assert condition.texts == ("copy b: unreadable; not readable: minisign.key",)
    assert condition.repairs == {"b": {"minisign.key": "a"}}


def test_a_file_that_is_not_opened_on_purpose_is_damage() -> None:
    bad = read(without("minisign.key"), problems={"minisign.key": "it is a link"})
    assert compared(b=bad).outcome is Outcome.DAMAGED


@pytest.mark.parametrize(
    ("unreadable", "outcome"),
    [(frozenset({""}), Outcome.UNREADABLE), (frozenset[str](), Outcome.DAMAGED)],
)
def test_a_folder_that_cannot_be_opened(unreadable: frozenset[str], outcome: Outcome) -> None:
    condition = compared(a=CopyRead(problems={"": "no"}, unreadable=unreadable))
    assert condition.outcome is outcome
    assert set(condition.repairs["a"]) == set(whole())


def test_damage_weighs_more_than_what_could_not_be_read_and_that_more_than_age() -> None:
    unreadable = CopyRead(problems={"": "no"}, unreadable=frozenset({""}))
    assert compared(a=unreadable, b=read(spoiled("minisign.key"))).outcome is Outcome.DAMAGED
    assert compared(a=unreadable, b=read(whole(11))).outcome is Outcome.UNREADABLE


def test_what_does_not_belong_there_is_told_and_damages_nothing() -> None:
    more = read({**whole(), "._RESTORE.txt": b"x"}, problems={"fifo": "it is a FIFO"})
    condition = compared(a=more)
    assert condition.outcome is None
    assert condition.texts == ("copy a: intact; does not belong there: ._RESTORE.txt, fifo",)


def test_digests_are_those_of_the_bytes() -> None:
    expected = compared().expected or {}
    for name, data in whole().items():
        assert expected[name] == hashlib.sha256(data).hexdigest()
