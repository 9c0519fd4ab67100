"""The PGP word list and its two directions (REV-1)."""

import hashlib
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.words import EVEN_WORDS, ODD_WORDS, from_words, to_words
from pai_signer.errors import FormatError

# The worked example of https://en.wikipedia.org/wiki/PGP_word_list
EXAMPLE = bytes.fromhex("E58294F2E9A227486E8B061B31CC528FD7FA3F19")
EXAMPLE_WORDS = (
    "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa "
    "afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
)

not_empty = st.binary(min_size=1, max_size=64)


def test_the_lists_hold_512_distinct_words_of_plain_letters() -> None:
    assert len(EVEN_WORDS) == len(ODD_WORDS) == 256
    assert len({word.casefold() for word in EVEN_WORDS + ODD_WORDS}) == 512
    assert all(re.fullmatch("[A-Za-z][a-z]+", word) for word in EVEN_WORDS + ODD_WORDS)


def test_the_lists_are_the_published_ones() -> None:
    # Compared word by word with two independent transcriptions when they were taken in;
    # the digests hold every word at its place from then on.
    digests = [
        hashlib.sha256(" ".join(words).encode()).hexdigest() for words in (EVEN_WORDS, ODD_WORDS)
    ]
    assert digests == [
        "541ddf6f9cb42d5f68c504d3e73c9604e07cc9bc0c9f970ede363979f631aff8",
        "da2f42899401481ae69b71da92f1f26abd36d0c1e457fd372a0f1e48d1f3f152",
    ]


def test_the_lists_are_in_alphabetical_order_but_for_the_one_published_slip() -> None:
    def out_of_order(words: tuple[str, ...]) -> list[tuple[str, str]]:
        folded = [word.casefold() for word in words]
        return [(a, b) for a, b in itertools.pairwise(folded) if a > b]

    assert out_of_order(EVEN_WORDS) == []
    assert out_of_order(ODD_WORDS) == [("applicant", "apollo")]


def test_the_published_example_reads_the_same_both_ways() -> None:
    assert " ".join(to_words(EXAMPLE)) == EXAMPLE_WORDS
    assert from_words(EXAMPLE_WORDS.split()) == EXAMPLE


@given(st.binary(max_size=64))
def test_words_lead_back_to_the_bytes(data: bytes) -> None:
    assert from_words(to_words(data)) == data


@given(st.binary(max_size=64))
def test_capitals_do_not_matter(data: bytes) -> None:
    assert from_words(word.upper() for word in to_words(data)) == data
    assert from_words(word.lower() for word in to_words(data)) == data


@given(not_empty, st.data())
def test_a_dropped_word_is_found_at_its_position(data: bytes, draw: st.DataObject) -> None:
    words = list(to_words(data + b"\0"))
    at = draw.draw(st.integers(0, len(words) - 2))
    del words[at]
    with pytest.raises(FormatError, match=rf"Word {at + 1} \(") as caught:
        from_words(words)
    assert caught.value.code == "REV-1/word-out-of-place"


@given(not_empty, st.data())
def test_a_word_said_twice_is_found_after_it(data: bytes, draw: st.DataObject) -> None:
    words = list(to_words(data))
    at = draw.draw(st.integers(0, len(words) - 1))
    words.insert(at, words[at])
    with pytest.raises(FormatError, match=rf"Word {at + 2} \(") as caught:
        from_words(words)
    assert caught.value.code == "REV-1/word-out-of-place"


@given(st.binary(min_size=2, max_size=64), st.data())
def test_two_neighbours_swapped_are_found(data: bytes, draw: st.DataObject) -> None:
    words = list(to_words(data))
    at = draw.draw(st.integers(0, len(words) - 2))
    words[at], words[at + 1] = words[at + 1], words[at]
    with pytest.raises(FormatError, match=rf"Word {at + 1} \(") as caught:
        from_words(words)
    assert caught.value.code == "REV-1/word-out-of-place"


@given(not_empty, st.data(), st.text(max_size=60))
def test_a_word_that_is_not_in_the_lists_is_named_with_its_position(
    data: bytes, draw: st.DataObject, stranger: str
) -> None:
    words = list(to_words(data))
    at = draw.draw(st.integers(0, len(words) - 1))
    words[at] = stranger + "!"
    with pytest.raises(FormatError, match=rf"Word {at + 1} \(") as caught:
        from_words(words)
    assert caught.value.code == "REV-1/word-unknown"
    assert caught.value.summary.isprintable()
