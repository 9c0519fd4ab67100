"""Whatever facts are journalled come back; whatever is done to the file is found (JRN-1)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.journal import JournalEntry, encode_entry, next_entry, parse_journal
from pai_signer.domain.text import is_safe
from pai_signer.errors import JournalTampered

TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(st.characters())  # with lone surrogates, as undecodable names have them
VALUES = st.recursive(
    TEXTS | st.integers(-(2**53), 2**53) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.tuples(TIMES, st.sampled_from(["import", "sign"]), st.dictionaries(TEXTS, VALUES)),
    min_size=1,
    max_size=5,
)


def written(entries: list[tuple[datetime, str, dict[str, object]]]) -> list[JournalEntry]:
    chain: list[JournalEntry] = []
    for at, event, facts in entries:
        chain.append(next_entry(chain[-1] if chain else None, at, event, facts))
    return chain


@given(ENTRIES)
def test_every_journal_is_read_back_as_it_was_written(
    entries: list[tuple[datetime, str, dict[str, object]]],
) -> None:
    chain = written(entries)
    data = b"".join(map(encode_entry, chain))
    assert parse_journal(data) == tuple(chain)
    assert data.count(b"\n") == len(chain)
    assert all(is_safe(line) for line in data.decode().splitlines())


@given(ENTRIES, st.data())
def test_every_change_is_found(
    entries: list[tuple[datetime, str, dict[str, object]]], data: st.DataObject
) -> None:
    whole = b"".join(map(encode_entry, written(entries)))
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
    # What remains valid is the same journal, or one cut between two lines (the head finds that).
    if whole.startswith(changed) and (not changed or changed.endswith(b"\n")):
        parse_journal(changed)
    else:
        with pytest.raises(JournalTampered):
            parse_journal(changed)


@given(st.binary(max_size=300))
def test_any_bytes_are_either_a_journal_or_refused(data: bytes) -> None:
    try:
        entries = parse_journal(data)
    except JournalTampered:
        return
    assert b"".join(map(encode_entry, entries)) == data
