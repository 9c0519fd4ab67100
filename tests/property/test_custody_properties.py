"""Custody under any bytes, names and proofs: parsers refuse or agree; the count is exact."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pai_signer.domain.attestation import parse_attestation
from pai_signer.domain.backup import (
    ALL_NAMES,
    BACKUP_MANIFEST_NAME,
    COPIES,
    SIGNATURE_NAMES,
    parse_facts,
    parse_folder_name,
    parse_manifest,
    render_manifest,
)
from pai_signer.domain.challenge import parse_challenge, render_challenge
from pai_signer.domain.compare_copies import CopyState
from pai_signer.domain.custody import (
    MediumIdentity,
    Outcome,
    WithdrawalCause,
    custodian_id,
    custodian_name,
)
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.ledger import Ledger, Proof, Row
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.matching import grouped, maximum_matching
from pai_signer.domain.profile import CustodyRules
from pai_signer.domain.records import encode_record
from pai_signer.domain.text import is_safe
from pai_signer.errors import FormatError, JournalTampered, UsageError
from tests.custody import FIRST_DAY, MINISIGN_KEY, CustodyJournal, stick
from tests.domain.test_attestation import ATTESTATION
from tests.domain.test_backup import FACTS
from tests.domain.test_challenge import CHALLENGE, TEXT
from tests.domain.test_compare_copies import compared, read, whole

NOT_ZERO: Final = st.integers(1, 255)
ANYWHERE: Final = st.integers(0, 1 << 16)
SAFE_TEXT: Final = st.text(max_size=30).filter(is_safe)


def spoiled(data: bytes, position: int, byte: int) -> bytes:
    changed = bytearray(data)
    changed[position % len(data)] ^= byte
    return bytes(changed)


# --- parsers -----------------------------------------------------------------------------------


@given(SAFE_TEXT.filter(bool), SAFE_TEXT, SAFE_TEXT, SAFE_TEXT, st.booleans())
def test_any_names_stand_in_a_challenge_and_come_back(
    custodian: str, uuid: str, serial: str, label: str, rehearsal: bool
) -> None:
    challenge = msgspec.structs.replace(
        CHALLENGE,
        custodian=custodian,
        medium=MediumIdentity(uuid=uuid, serial=serial, label=label),
        rehearsal=rehearsal,
    )
    text = render_challenge(challenge)
    assert text.isascii()
    assert parse_challenge(text) == challenge
    assert all(line.isprintable() for line in text.decode().splitlines())


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_challenge(position: int, byte: int) -> None:
    changed = spoiled(TEXT, position, byte)
    try:
        challenge = parse_challenge(changed)
    except FormatError:
        return
    assert render_challenge(challenge) == changed
    assert challenge != CHALLENGE


@given(st.binary(max_size=400))
def test_no_bytes_break_the_parsers_of_a_backup(data: bytes) -> None:
    refused = 0
    for head in (b"", TEXT[:60], MANIFEST[:60]):
        for parse in (parse_challenge, parse_facts, parse_real_manifest, parse_attestation):
            try:
                parse(head + data)
            except FormatError:
                refused += 1
    assert refused == 12


def parse_real_manifest(data: bytes) -> dict[str, str]:
    return parse_manifest(data, "PAI", rehearsal=False)


LISTED: Final = sorted(ALL_NAMES - {BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES})
MANIFEST: Final = render_manifest("PAI", False, dict.fromkeys(LISTED, b"content"))


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_manifest(position: int, byte: int) -> None:
    changed = spoiled(MANIFEST, position, byte)
    try:
        digests = parse_real_manifest(changed)
    except FormatError:
        return
    assert digests != parse_real_manifest(MANIFEST)
    assert set(digests) == set(LISTED)  # another digest at most, which no file will have


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_facts(position: int, byte: int) -> None:
    changed = spoiled(encode_record(FACTS), position, byte)
    try:
        facts = parse_facts(changed)
    except FormatError:
        return
    assert encode_record(facts) == changed
    assert facts != FACTS


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser_of_folder_names(text: str) -> None:
    for name in (text, f"pai-backup-{text}", f"pai-backup-000014-{text}"):
        found = parse_folder_name("pai", name)
        assert found is None or name == f"pai-backup-{found[0]:06d}-{found[1]}"


@given(st.text(max_size=70))
def test_a_custodians_name_is_kept_as_it_is_compared(text: str) -> None:
    try:
        name = custodian_name(text)
    except UsageError:
        return
    assert custodian_name(name) == name
    assert custodian_id(name) == custodian_id(text) == custodian_id(f"  {text}  ")
    challenge = msgspec.structs.replace(CHALLENGE, custodian=name)
    assert parse_challenge(render_challenge(challenge)).custodian == name


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_attestation(position: int, byte: int) -> None:
    changed = spoiled(encode_record(ATTESTATION), position, byte)
    try:
        attestation = parse_attestation(changed)
    except FormatError:
        return
    assert encode_record(attestation) == changed
    assert attestation != ATTESTATION


ODD_TIMES: Final = (
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(ODD_TIMES),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def custody_entries() -> list[JournalEntry]:
    """One entry of each event of custody."""
    journal = CustodyJournal()
    medium = stick("1111-1111", "S1")
    journal.created(0, "Anna", medium)
    journal.proved(1, "Anna", medium, MINISIGN_KEY)
    journal.failed(2, "Anna", medium, Outcome.STALE, MINISIGN_KEY)
    journal.withdrawn(3, WithdrawalCause.MEDIUM_LOST, medium=medium)
    journal.accepted(4, "Bob", stick("2222-2222"), MINISIGN_KEY, proved_on=3)
    return journal.entries


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in ``value``, inner ones too."""
    keys: Iterable[Any] = ()
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
    return [path, *(leaf for key in keys for leaf in leaves(value[key], (*path, key)))]


@settings(max_examples=500)
@given(st.integers(0, 4), ANYWHERE, JSON)
def test_whatever_stands_in_an_entry_of_custody_is_read_or_refused(
    number: int, where: int, value: Any
) -> None:
    entries = custody_entries()
    entry = entries[number]
    paths = leaves(entry.facts)[1:]
    *way, last = paths[where % len(paths)]
    holder: Any = entry.facts
    for step in way:
        holder = holder[step]
    holder[last] = value
    try:
        ledger = read_ledger(entries)
    except JournalTampered:
        return
    rules = CustodyRules(custodians=2, media=2, proof_days=180)
    assert ledger.custody_of(MINISIGN_KEY.id, rules, FIRST_DAY + timedelta(days=9)).text


# --- three copies ---------------------------------------------------------------------------------


@settings(max_examples=1000)
@given(st.sampled_from(COPIES), st.sampled_from(sorted(whole())), ANYWHERE, NOT_ZERO)
def test_any_changed_byte_of_any_file_of_a_copy_is_damage_of_just_that_file(
    copy: str, name: str, position: int, byte: int
) -> None:
    files = {**whole(), name: spoiled(whole()[name], position, byte)}
    condition = compared(**{copy: read(files)})
    assert condition.outcome is Outcome.DAMAGED
    assert [c.copy for c in condition.copies if c.state is not CopyState.INTACT] == [copy]
    assert condition.repairs == {copy: {name: "b" if copy == "a" else "a"}}


@given(
    st.dictionaries(
        st.sampled_from(COPIES),
        st.dictionaries(st.sampled_from(sorted(whole())), st.sampled_from((None, b"", b"x"))),
    )
)
def test_whatever_can_be_mended_is_whole_afterwards(
    harm: dict[str, dict[str, bytes | None]],
) -> None:
    copies: dict[str, dict[str, bytes]] = {}
    for copy in COPIES:
        files = {**whole(), **harm.get(copy, {})}
        copies[copy] = {n: data for n, data in files.items() if data is not None}
    before = compared(**{copy: read(files) for copy, files in copies.items()})
    assert (before.outcome is None) == (not any(harm.values()))
    for copy, repairs in before.repairs.items():
        copies[copy].update({n: copies[source][n] for n, source in repairs.items()})
    if before.repairs:
        assert compared(**{c: read(f) for c, f in copies.items()}).outcome is None


# --- the count -----------------------------------------------------------------------------------

EDGES: Final = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=9)


def largest(edges: list[tuple[int, int]]) -> int:
    """By trying every choice."""
    for size in range(len(edges), 0, -1):
        for chosen in combinations(edges, size):
            if len({a for a, _ in chosen}) == len({b for _, b in chosen}) == size:
                return size
    return 0


@given(EDGES)
def test_a_matching_is_one_and_there_is_no_larger(edges: list[tuple[int, int]]) -> None:
    chosen = [edges[index] for index in maximum_matching(edges)]
    assert len({a for a, _ in chosen}) == len({b for _, b in chosen}) == len(chosen)
    assert len(chosen) == largest(edges)


@given(st.lists(st.sets(st.integers(0, 12), max_size=4), max_size=8))
def test_groups_are_what_hangs_together(sets: list[set[int]]) -> None:
    number = grouped(sets)
    assert set(number) == set().union(*sets)
    for a in number:
        reached = {a}
        while any(s & reached and s - reached for s in sets):
            for members in sets:
                reached |= members if members & reached else set()
        assert {b for b in number if number[b] == number[a]} == reached


CUSTODIANS: Final = ("Anna", "Bob", "Carl")
PROOFS: Final = st.lists(
    st.builds(
        lambda who, uuid, serial, salt, day: Proof(
            algorithm=MINISIGN_KEY.algorithm,
            key_id=MINISIGN_KEY.id,
            custodian=who,
            medium=MediumIdentity(uuid=uuid, serial=serial),
            # A salt is its owner's: whose file it is was decided before (ledger_reading.py).
            salts=(f"{who} {salt}",),
            at=FIRST_DAY + timedelta(days=day),
            set_number=1,
            challenge_sha256="",
            n=1,
        ),
        st.sampled_from(CUSTODIANS),
        st.sampled_from(("u1", "u2", "u3", "u4")),
        st.sampled_from(("", "", "s1", "s2")),
        st.integers(1, 4),
        st.integers(0, 9),
    ),
    max_size=7,
)
WANTED: Final = st.builds(
    CustodyRules, custodians=st.integers(1, 3), media=st.integers(1, 3), proof_days=st.just(10)
)


def ledger_of(proofs: list[Proof]) -> Ledger:
    rows = tuple(
        Row(
            algorithm=proof.algorithm,
            key_id=proof.key_id,
            custodian=proof.custodian,
            medium=proof.medium,
            set_number=1,
            salts=proof.salts,
            proof=proof,
        )
        for proof in proofs
    )
    return Ledger(rows, tuple(proof.medium for proof in proofs))


def one_medium(a: MediumIdentity, b: MediumIdentity, seen: list[MediumIdentity]) -> bool:
    """Whether a chain of sightings leads from one to the other."""
    reached, before = [a], 0
    while len(reached) != before:
        before = len(reached)
        reached += [m for m in seen if m not in reached and any(m.same_as(r) for r in reached)]
    return b in reached


def enough_by_hand(
    proofs: list[Proof], seen: list[MediumIdentity], rules: CustodyRules, now: datetime
) -> bool:
    """The rule of POL-7, by trying every choice of proofs."""
    fresh = [p for p in proofs if p.at <= now < p.at + timedelta(days=rules.proof_days)]

    def apart(a: Proof, b: Proof) -> bool:
        return not one_medium(a.medium, b.medium, seen) and not set(a.salts) & set(b.salts)

    def some(size: int, *, distinct_people: bool, distinct_media: bool) -> bool:
        return any(
            all(
                (not distinct_people or a.custodian != b.custodian)
                and (not distinct_media or apart(a, b))
                for a, b in combinations(chosen, 2)
            )
            for chosen in combinations(fresh, size)
        )

    return (
        some(min(rules.custodians, rules.media), distinct_people=True, distinct_media=True)
        and some(rules.custodians, distinct_people=True, distinct_media=False)
        and some(rules.media, distinct_people=False, distinct_media=True)
    )


@settings(max_examples=1000)
@given(PROOFS, WANTED, st.integers(0, 22))
def test_custody_is_what_trying_every_choice_says(
    proofs: list[Proof], rules: CustodyRules, day: int
) -> None:
    now = FIRST_DAY + timedelta(days=day)
    status = ledger_of(proofs).custody_of(MINISIGN_KEY.id, rules, now)
    seen = [proof.medium for proof in proofs]
    assert status.is_enough == enough_by_hand(proofs, seen, rules, now)
    for a, b in combinations(status.pairs, 2):
        assert a.custodian != b.custodian
        assert not one_medium(a.medium, b.medium, seen)
        assert not set(a.salts) & set(b.salts)
    if status.due is not None:
        # Until then it stays enough with nothing new but those proofs; from then on it is not.
        known = [proof for proof in proofs if proof.at <= now]
        assert enough_by_hand(known, seen, rules, status.due - timedelta(seconds=1))
        assert not enough_by_hand(known, seen, rules, status.due)


@given(PROOFS, PROOFS, WANTED)
def test_a_further_proof_never_takes_custody_away(
    proofs: list[Proof], more: list[Proof], rules: CustodyRules
) -> None:
    """On media that are known already: a new sighting may show that two of them are one."""
    now = FIRST_DAY + timedelta(days=9)
    media = tuple(proof.medium for proof in (*proofs, *more))
    before, after = ledger_of(proofs), ledger_of([*proofs, *more])
    before = Ledger(before.rows, media)
    if before.custody_of(MINISIGN_KEY.id, rules, now).is_enough:
        assert after.custody_of(MINISIGN_KEY.id, rules, now).is_enough
