"""A journal compared with a head that somebody noted, and with another copy of it (CUS-4)."""

from datetime import UTC, datetime

import pytest

from pai_signer.domain.journal import GENESIS, JournalEntry, next_entry
from pai_signer.domain.noted_head import (
    NotedHead,
    check_holds,
    check_holds_recorded,
    missing_entries,
    missing_from,
    parse_noted_head,
)
from pai_signer.domain.receipt import JournalHead, head_words
from pai_signer.errors import FormatError, JournalTampered, UsageError

AT = datetime(2026, 11, 23, tzinfo=UTC)


def journal(count: int, fork_at: int = 0) -> tuple[JournalEntry, ...]:
    entries: list[JournalEntry] = []
    for number in range(1, count + 1):
        facts = {"forked": 0 < fork_at <= number}
        entries.append(next_entry(entries[-1] if entries else None, AT, "sign", facts))
    return tuple(entries)


@pytest.mark.parametrize("form", ["words", "hash", "first half", "groups", "capitals"])
def test_every_form_on_paper_is_read(form: str) -> None:
    digest = journal(5)[-1].hash
    text = {
        "words": head_words(digest),
        "hash": digest,
        "first half": digest[:32],
        "groups": f"{digest[:8]} {digest[8:16]}\n",
        "capitals": head_words(digest).upper(),
    }[form]
    noted = parse_noted_head(f" 5  {text}")
    assert missing_entries(journal(5), noted) == 0
    assert missing_entries(journal(9), noted) == 0
    assert missing_entries(journal(3), noted) == 2
    with pytest.raises(JournalTampered) as caught:
        missing_entries(journal(6, fork_at=4), noted)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "text", ["", "5", "0 " + "ab" * 32, "five " + "ab" * 32, "5 abab", "5 " + "ab" * 33, "5 abc"]
)
def test_anything_else_is_no_head(text: str) -> None:
    with pytest.raises(UsageError):
        parse_noted_head(text)


def test_a_word_that_was_misheard_is_named() -> None:
    words = head_words(journal(5)[-1].hash).split()
    with pytest.raises(FormatError) as caught:
        parse_noted_head(f"5 {' '.join([words[0], words[0], *words[2:]])}")
    assert "Word 2" in caught.value.summary


def test_a_shorter_copy_lacks_what_the_other_has() -> None:
    assert missing_from(journal(3), journal(5)) == 2
    assert missing_from(journal(5), journal(3)) == -2
    assert missing_from(journal(5), journal(5)) == 0


def test_two_histories_are_told_with_the_entry_where_they_part() -> None:
    with pytest.raises(JournalTampered) as caught:
        missing_from(journal(5), journal(7, fork_at=4))
    assert "from entry 4 on" in caught.value.summary
    assert caught.value.exit_code == 4


def test_half_a_word_list_is_not_enough() -> None:
    assert parse_noted_head("5 " + "ab" * 8) == NotedHead(5, bytes([0xAB]) * 8)
    with pytest.raises(UsageError):
        parse_noted_head("5 " + "ab" * 7)


# --- heads that somebody else knows (JRN-1) ------------------------------------------------------


def head(entries: tuple[JournalEntry, ...], number: int) -> JournalHead:
    return JournalHead(n=number, hash=entries[number - 1].hash)


def test_a_journal_that_holds_the_entry_is_fine() -> None:
    check_holds_recorded(journal(5), head(journal(5), 5), "The receipt")
    check_holds_recorded(journal(9), head(journal(5), 5), "The receipt")
    check_holds_recorded((), JournalHead(n=0, hash=GENESIS), "The transcript")
    check_holds(journal(5), parse_noted_head(f"5:{journal(5)[-1].hash[:16]}"), "The paper")


@pytest.mark.parametrize(
    ("mine", "code"),
    [(journal(4), "JRN-1/rolled-back"), ((), "JRN-1/rolled-back"), (journal(6, 3), "JRN-1/forked")],
)
def test_one_that_was_rolled_back_or_written_anew_is_not(
    mine: tuple[JournalEntry, ...], code: str
) -> None:
    with pytest.raises(JournalTampered) as caught:
        check_holds_recorded(mine, head(journal(5), 5), "The receipt")
    assert (caught.value.code, caught.value.exit_code) == (code, 4)
    assert caught.value.summary.startswith("The receipt knows")


@pytest.mark.parametrize(
    "bad",
    [
        JournalHead(n=0, hash="ab" * 32),
        JournalHead(n=-1, hash="ab" * 32),
        JournalHead(n=1, hash="zz"),
        JournalHead(n=1, hash=""),
        JournalHead(n=1, hash="AB" * 32),
    ],
)
def test_a_record_without_a_head_that_could_be_one_is_malformed(bad: JournalHead) -> None:
    with pytest.raises(FormatError):
        check_holds_recorded(journal(3), bad, "The receipt")
