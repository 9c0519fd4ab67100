"""The word list is whole, what is offered is strong, and weak passphrases are told why."""

import hashlib
import re
import secrets
from importlib.resources import files

import pytest

from pai_signer.domain import passphrase_words
from pai_signer.domain.passphrase_words import (
    LIST_NAME,
    MIN_WORDS,
    entropy_bits,
    passphrase,
    weakness,
    word_list,
)
from pai_signer.errors import CannotTell, UsageError

SIX = b"abacus zoom t-shirt drizzle unmixed cabana"


def test_the_list_is_the_published_one() -> None:
    words = word_list()
    assert len(words) == len(set(words)) == 7776
    assert all(word.isascii() and word.replace(b"-", b"").isalpha() for word in words)
    assert all(word == word.lower() and 3 <= len(word) <= 9 for word in words)
    assert words[0] == b"abacus"
    assert words[-1] == b"zoom"
    lines = files("pai_signer.domain").joinpath(LIST_NAME).read_bytes().splitlines()
    dice = [line.split(b"\t")[0] for line in lines]
    assert dice == sorted(set(dice))
    assert set(b"".join(dice)) == set(b"123456")


def test_no_two_words_run_together_into_a_third_behind_a_space() -> None:
    # The space keeps word borders, so as many passphrases as draws: no entropy is lost.
    assert all(b" " not in word for word in word_list())


def test_a_damaged_list_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase_words, "LIST_SHA256", hashlib.sha256(b"other").hexdigest())
    word_list.cache_clear()
    try:
        with pytest.raises(CannotTell, match="damaged"):
            word_list()
    finally:
        word_list.cache_clear()


def test_each_word_is_drawn_on_its_own_from_the_whole_list() -> None:
    asked: list[int] = []
    draws = iter([0, 7775, 1, 1, 2, 3, 4])

    def choose(count: int) -> int:
        asked.append(count)
        return next(draws)

    with passphrase(7, choose) as secret:
        words = bytes(secret.reveal()).split(b" ")
    assert words == [word_list()[n] for n in (0, 7775, 1, 1, 2, 3, 4)]
    assert asked == [7776] * 7


@pytest.mark.parametrize("words", [0, 5, 25, -1])
def test_fewer_than_six_words_are_never_offered(words: int) -> None:
    with pytest.raises(UsageError, match="not offered"):
        passphrase(words, secrets.randbelow)


@pytest.mark.parametrize("number", [-1, 7776])
def test_a_broken_source_of_chance_is_noticed(number: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        passphrase(6, lambda _: number)


def test_six_words_have_77_bits() -> None:
    assert 77 < entropy_bits(MIN_WORDS) < 78
    assert entropy_bits(12) == 2 * entropy_bits(6)


def test_a_passphrase_is_a_secret_and_not_shown() -> None:
    with passphrase(6, secrets.randbelow) as secret:
        assert repr(secret) == "Secret(...)"
        buffer = secret.reveal()
        assert isinstance(buffer, bytearray)
    assert not buffer


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        (b"", "empty"),
        (b"abc", "shorter than 16"),
        (b"Tr0ub4dor&3", "shorter than 16"),
        ("привет мир как дела".encode(), "only 4 words"),
        (b"aaaaaaaaaaaaaaaaaaaaaaaa", "one character, repeated"),
        (b"abcabcabcabcabcabcabc", "a short piece, repeated"),
        (b"drizzle drizzle drizzle drizzle drizzle drizzle ", "a short piece, repeated"),
        (b"31415926535897932384626433", "digits only"),
        (b"3141 5926 5358 9793 2384 6264", "digits only"),
        (b"abcdefghijklmnopqrstuvwxyz", "follow each other"),
        (b"zyxwvutsrqponmlkjihgfedcba", "follow each other"),
        (b"incomprehensibilities", "only 2 words"),
        (b"responsibilitypassword1", "only"),
        (b"Password-Password-2024!", "only"),
        (b"correct horse battery staple", "only 4 words"),
        (b"abacuszoomdrizzleunmixed", "only 4 words"),
        (b"abacuszoomdrizzleunmixedcabana", "only 5 words"),
        (b"correcthorsebatterystaple", "only 3 words"),
        (b"CorrectHorseBatteryStaple", "only 4 words"),
        (b"abacus zoom drizzle unmixed t-shirt", "only 5 words"),
        (b"abacus zoom drizzle zoom zoom zoom abacus drizzle", "only 4 words"),
        (b"abacus zoom drizzle unmixed cabana\nblimp", "control character"),
        (b"abacus zoom drizzle unmixed cabana\x00blimp", "control character"),
    ],
)
def test_a_weak_passphrase_is_told_why(weak: bytes, why: str) -> None:
    found = weakness(bytearray(weak))
    assert found is not None
    assert re.search(why, found), found
    assert weakness(weak) == found
    # The reason stands on the screen: nothing of the passphrase may be in it.
    assert weak.decode() not in found or not weak


@pytest.mark.parametrize(
    "strong",
    [
        SIX,
        SIX.upper(),
        SIX.replace(b"t-shirt", b"spotty").replace(b" ", b""),
        b"abacus zoom abacus drizzle unmixed cabana",  # one word twice, as chance will have it
        b"q7Rk2mZx9LwPd4Ts",
        "семь лет мы ждали зелёного поезда".encode(),
        "Grüße aus Köln, 3 Züge & 1 Schiff".encode(),
    ],
)
def test_a_strong_passphrase_passes_and_is_left_as_it_was(strong: bytes) -> None:
    buffer = bytearray(strong)
    assert weakness(buffer) is None
    assert buffer == strong


def test_what_is_offered_is_never_called_weak() -> None:
    for _ in range(300):
        with passphrase(MIN_WORDS, secrets.randbelow) as secret:
            words = bytes(secret.reveal()).split()
            # Two doubles in six words: one in two million.
            assert weakness(secret.reveal()) is None or len(set(words)) < MIN_WORDS - 1


def test_the_working_copies_are_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytearray] = []
    judge = passphrase_words._weakness

    def spying(candidate: bytes | bytearray, lowered: bytearray) -> str | None:
        seen.append(lowered)
        return judge(candidate, lowered)

    monkeypatch.setattr(passphrase_words, "_weakness", spying)
    weakness(bytearray(SIX))
    assert seen == [bytearray(len(SIX))]


def test_a_long_passphrase_is_judged_quickly() -> None:
    assert weakness(bytearray(b"ab" * 2000)) == "it is a short piece, repeated"
    assert weakness(bytearray(b"a" * 4000 + b"b")) is not None
