"""Records of the life of keys: whatever is written comes back; any changed byte is refused."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import pytest
from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st

from pai_signer.domain.ceremony import (
    Participant,
    Role,
    Transcript,
    Verdict,
    compare_typed,
    noted_exception,
    parse_transcript,
    taken_step,
)
from pai_signer.domain.ceremony_text import render_transcript
from pai_signer.domain.endorsement import EndorsedRelease, Endorsement, parse_endorsement
from pai_signer.domain.passphrase_words import passphrase, weakness, word_list
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    Algorithm,
    KeyState,
    Registry,
    UnsignedRelease,
    check_registry,
    parse_registry,
)
from pai_signer.domain.registry_rules import (
    check_successor,
    expect_no_signature,
    mark_compromised,
    note_releases,
    replace_certificate,
    retire,
    rotate,
)
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.domain.text import is_safe
from pai_signer.domain.transition import parse_transition, render_transition, transition_of
from pai_signer.errors import FormatError, PolicyRefused, SignerError
from tests.registries import BORN, altered, certificate, minisign_key, openpgp_key, registry

MOMENTS: Final = st.datetimes(datetime(2026, 2, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
TEXTS: Final = st.text(max_size=40)
REASONS: Final = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
DIGESTS: Final = st.binary(min_size=32, max_size=32).map(bytes.hex)


#: This machine may be busy; what is slow is found by looking, not by a deadline.
UNHURRIED: Final = settings(deadline=None, max_examples=60)


def with_one_byte_changed(whole: bytes, data: st.DataObject) -> bytes:
    """Still UTF-8: what is not has a test of its own below."""
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = whole[:at] + bytes((byte,)) + whole[at + 1 :]
    assume(whole[at] != byte)
    try:
        changed.decode()
    except UnicodeDecodeError:
        reject()
    return changed


# --- the registry -----------------------------------------------------------------------------


@st.composite
def lives(draw: st.DrawFn) -> list[Registry]:
    """Every state of a registry that went through some honest changes, oldest first."""
    practice = draw(st.booleans())
    state = KeyState.REHEARSAL if practice else KeyState.ACTIVE
    states = [registry(minisign_key(1, state), openpgp_key(1, state))]
    now = BORN
    for step in range(2, 2 + draw(st.integers(0, 6))):
        now += timedelta(days=draw(st.integers(0, 400)))
        known = states[-1]
        key = draw(st.sampled_from(known.keys))
        change = draw(st.sampled_from(["minisign", "gpg", "retire", "leak", "extend", "note"]))
        try:
            states.append(_changed(known, change, key.id, step, now))
        except PolicyRefused:
            continue
    return states


def _changed(known: Registry, change: str, key_id: str, step: int, now: datetime) -> Registry:
    state = KeyState.REHEARSAL if known.keys[0].state is KeyState.REHEARSAL else KeyState.ACTIVE
    if change == "minisign":
        return rotate(known, minisign_key(step, state), reason=f"turn {step}", now=now)
    if change == "gpg":
        return rotate(known, openpgp_key(step, state), reason=f"turn {step}", now=now)
    if change == "retire":
        return retire(known, key_id, reason="ends", now=now)
    if change == "leak":
        return mark_compromised(known, key_id, reason="leak", now=now, do_not_trust_after=BORN)
    if change == "extend":
        grown = certificate(1, signatures=step)
        return replace_certificate(
            known, openpgp_key(1).id, grown, expires_at=now + timedelta(days=400), now=now
        )
    release = UnsignedRelease(version=f"v0.0.{step}", reason="before there were keys")
    if step % 2:
        return expect_no_signature(known, release, now=now)
    later = msgspec.structs.replace(known, serial=known.serial + 1, changed_at=now)
    return note_releases(later, {key_id: ("v1.0.0", f"v1.0.{step}")})


@given(lives())
@UNHURRIED
def test_every_state_follows_all_before_it_and_none_follows_a_later_one(
    states: list[Registry],
) -> None:
    for i, state in enumerate(states):
        assert parse_registry(encode_record(state)) == state
        for earlier in states[:i]:
            check_successor(earlier, state)
            try:
                check_successor(state, earlier)
            except PolicyRefused:
                continue
            raise AssertionError("an earlier state passed for a later one")
        for algorithm in Algorithm:
            assert sum(key.can_sign for key in state.of(algorithm)) <= 1
    assert {key.id for key in states[0].keys} <= {key.id for key in states[-1].keys}
    assert len({key.state is KeyState.REHEARSAL for s in states for key in s.keys}) == 1


@given(lives(), st.data())
@UNHURRIED
def test_any_changed_byte_of_a_registry_is_refused_or_is_another_registry(
    states: list[Registry], data: st.DataObject
) -> None:
    """Strict form: no byte can change without the meaning changing, which signatures cover."""
    whole = encode_record(states[-1])
    changed = with_one_byte_changed(whole, data)
    try:
        parsed = parse_registry(changed)
    except SignerError:
        return
    assert parsed != states[-1]
    assert encode_record(parsed) == changed


@given(lives(), st.sampled_from(["keys", "format", "serial"]), st.sampled_from(["a", "format"]))
@UNHURRIED
def test_unknown_and_doubled_fields_of_a_registry_are_refused(
    states: list[Registry], before: str, name: str
) -> None:
    whole = encode_record(states[-1])
    added = whole.replace(f'"{before}"'.encode(), f'"{name}": 1,\n  "{before}"'.encode(), 1)
    assert added != whole
    try:
        parse_registry(added)
    except FormatError:
        return
    raise AssertionError("it was accepted")


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
@UNHURRIED
def test_any_links_between_keys_are_whole_and_free_of_circles_or_refused(
    targets: list[int],
) -> None:
    """Against a slow oracle that follows each chain to its end."""
    count = len(targets)
    keys = [minisign_key(n, KeyState.RETIRED) for n in range(1, count + 1)]
    ids = {str(n): n for n in range(1, count + 1)}
    after = {str(n): str(t) for n, t in enumerate(targets, 1) if t}
    before = {new: old for old, new in after.items()}
    known = registry(
        *(
            altered(key, superseded_by=after.get(key.id), supersedes=before.get(key.id))
            for key in keys
        )
    )
    one_to_one = len(set(after.values())) == len(after)
    inside = all(old != new and new in ids for old, new in after.items())
    ends = True
    for start in ids:
        seen, here = {start}, after.get(start)
        while here is not None and ends:
            ends = here not in seen
            seen.add(here)
            here = after.get(here)
    try:
        check_registry(known)
    except FormatError:
        assert not (one_to_one and inside and ends)
    else:
        assert one_to_one
        assert inside
        assert ends


@given(st.text(st.characters(max_codepoint=127), max_size=200).map(str.encode))
@example(b"{}")
@example(b"[" * 5000)
@UNHURRIED
def test_any_bytes_are_refused_without_a_crash(data: bytes) -> None:
    for parse in (parse_registry, parse_endorsement, parse_transcript, parse_transition):
        try:
            parse(data)
        except FormatError:
            continue
        raise AssertionError("bytes out of nowhere were accepted")


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    whole = encode_record(registry()).replace(b'"PAI"', b'"P\x80I"')
    with pytest.raises(FormatError):
        parse_registry(whole)


# --- transition statements --------------------------------------------------------------------


@given(REASONS, st.booleans(), st.dates(date(2026, 1, 1)))
@UNHURRIED
def test_every_statement_is_read_back(reason: str, leaked: bool, day: date) -> None:
    known = registry()
    if leaked:
        known = mark_compromised(known, "1", reason=reason, now=BORN, do_not_trust_after=BORN)
    told = transition_of(rotate(known, minisign_key(2), reason=reason, now=BORN), "2", day)
    assert parse_transition(render_transition(told)) == told


STATEMENT: Final = render_transition(
    transition_of(
        rotate(registry(), minisign_key(2), reason="why", now=BORN), "2", date(2026, 2, 1)
    )
)


@given(st.data())
@UNHURRIED
def test_any_changed_byte_of_a_statement_is_refused_or_tells_something_else(
    data: st.DataObject,
) -> None:
    changed = with_one_byte_changed(STATEMENT, data)
    try:
        told = parse_transition(changed)
    except FormatError:
        return
    assert told != parse_transition(STATEMENT)
    assert render_transition(told) == changed


# --- endorsements -----------------------------------------------------------------------------


RELEASES: Final = st.builds(
    EndorsedRelease,
    version=st.text("0123456789v.-rc", min_size=1, max_size=12),
    signed_at=MOMENTS,
    signed_by=st.just(("1",)),
    manifest_sha256=DIGESTS,
    tag_oid=st.none() | st.binary(min_size=20, max_size=20).map(bytes.hex),
    commit=st.none() | st.binary(min_size=20, max_size=20).map(bytes.hex),
    files=st.dictionaries(TEXTS, DIGESTS, max_size=3),
)
ENDORSEMENTS: Final = st.builds(
    Endorsement,
    project=TEXTS,
    compromised=st.just("1"),
    do_not_trust_after=MOMENTS,
    made_at=MOMENTS,
    journal=st.builds(JournalHead, n=st.integers(1, 2**50), hash=DIGESTS),
    releases=st.lists(RELEASES, max_size=3, unique_by=lambda r: r.version).map(tuple),
)


@given(ENDORSEMENTS, st.data())
@UNHURRIED
def test_endorsements_come_back_and_any_changed_byte_shows(
    endorsement: Endorsement, data: st.DataObject
) -> None:
    whole = encode_record(endorsement)
    assert parse_endorsement(whole) == endorsement
    changed = with_one_byte_changed(whole, data)
    try:
        assert parse_endorsement(changed) != endorsement
    except FormatError:
        return


# --- transcripts ------------------------------------------------------------------------------


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    began = draw(MOMENTS)
    names = draw(st.lists(st.text(min_size=1, max_size=20), min_size=3, max_size=3, unique=True))
    people = tuple(
        Participant(role=role, name=name) for role, name in zip(Role, names, strict=True)
    )
    count = draw(st.integers(0, 4))
    steps = tuple(
        taken_step(
            step=draw(TEXTS),
            title=draw(TEXTS),
            actor=draw(st.sampled_from(Role)),
            at=began + timedelta(minutes=n),
            question=draw(TEXTS),
            answer=draw(TEXTS),
            point_of_no_return=draw(st.booleans()),
        )
        for n in range(count)
    )
    digest = draw(st.binary(min_size=1, max_size=32)).hex()
    comparison = compare_typed(
        draw(TEXTS), digest, digest, step="x", at=began, read_by=names[0], typed_by=names[1]
    )
    noted = noted_exception("x", began, expected="a", happened=draw(TEXTS) + "b", decided="c")
    ended = draw(st.booleans())
    return Transcript(
        project=draw(TEXTS),
        ceremony="x",
        title=draw(TEXTS),
        rehearsal=draw(st.booleans()),
        program="x",
        began_at=began,
        journal_at_begin=JournalHead(n=1, hash=draw(DIGESTS)),
        participants=people,
        steps=steps,
        comparisons=(comparison,),
        exceptions=(noted,),
        verdict=Verdict(witness=names[2], at=began, statement=draw(TEXTS), accepts=True)
        if ended
        else None,
        ended_at=began + timedelta(hours=1) if ended else None,
        journal_at_end=JournalHead(n=2, hash=draw(DIGESTS)) if ended else None,
    )


@given(transcripts())
@UNHURRIED
def test_transcripts_come_back_and_their_paper_form_is_safe(transcript: Transcript) -> None:
    assert parse_transcript(encode_record(transcript)) == transcript
    lines = render_transcript(transcript).split("\n")
    assert lines[-1] == ""
    assert all(is_safe(line) for line in lines)
    assert all(len(line) < 80 for line in lines)


@given(transcripts(), st.data())
@UNHURRIED
def test_any_changed_byte_of_a_transcript_shows(
    transcript: Transcript, data: st.DataObject
) -> None:
    whole = encode_record(transcript)
    changed = with_one_byte_changed(whole, data)
    try:
        assert parse_transcript(changed) != transcript
    except FormatError:
        return


# --- passphrases, days ------------------------------------------------------------------------


@given(st.lists(st.integers(0, 7775), min_size=6, max_size=12, unique=True))
@UNHURRIED
def test_a_passphrase_of_different_listed_words_is_never_called_weak(draws: list[int]) -> None:
    waiting = iter(draws)
    with passphrase(len(draws), lambda _: next(waiting)) as secret:
        assert bytes(secret.reveal()) == b" ".join(word_list()[n] for n in draws)
        assert weakness(secret.reveal()) is None


@given(st.lists(st.integers(0, 7775), min_size=1, max_size=5))
@UNHURRIED
def test_fewer_than_six_listed_words_are_weak_however_they_are_joined(draws: list[int]) -> None:
    for separator in (b" ", b"-", b".", b"", b"  "):
        joined = separator.join(word_list()[n] for n in draws)
        if separator == b"-":
            assume(b"t-shirt" not in joined)
        assert weakness(joined) is not None
        assert weakness(joined.title()) is not None or b"-" in joined


@given(st.binary(max_size=120))
@UNHURRIED
def test_any_bytes_are_judged_and_left_as_they_are(data: bytes) -> None:
    buffer = bytearray(data)
    found = weakness(buffer)
    assert buffer == data
    assert found is None or is_safe(found)


def test_chance_itself_is_not_called_weak() -> None:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    draws = [bytes(secrets.choice(alphabet) for _ in range(24)) for _ in range(300)]
    assert sum(weakness(draw) is not None for draw in draws) <= 3


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.booleans())
@UNHURRIED
def test_a_good_day_is_good_not_later_and_the_nearest(wanted: date, weekends: bool) -> None:
    avoid = AvoidedDays(weekends=weekends)
    day = good_expiry_day(wanted, avoid)
    assert not avoid.holds(day)
    assert wanted - timedelta(days=22) < day <= wanted
    between = ((day + timedelta(days=n)) for n in range(1, (wanted - day).days + 1))
    assert all(avoid.holds(skipped) for skipped in between)
