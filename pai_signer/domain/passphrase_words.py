"""Passphrases from a word list, and a blunt judge of those that people make up (KEY-1).

The list: "EFF's Long Wordlist" by Joseph Bonneau and the Electronic Frontier Foundation,
https://www.eff.org/files/2016/07/18/eff_large_wordlist.txt, licensed CC BY 3.0 US
(https://creativecommons.org/licenses/by/3.0/us/), stored unchanged: 7776 lines of five
dice, a tab and a word. Each word adds log2(7776), about 12.9 bits.

Nothing here turns a passphrase into a ``str``, and every working copy is wiped.
"""

import functools
import hashlib
import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, UsageError

LIST_NAME: Final = "eff_large_wordlist.txt"
LIST_SHA256: Final = "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e"
LIST_LENGTH: Final = 6**5

#: Six words are 77 bits: out of reach even behind gpg's weak hashing of exported keys.
MIN_WORDS: Final = 6
MAX_WORDS: Final = 24
#: Below this no choice of characters is taken; 16 random letters and digits are 95 bits.
MIN_CHARACTERS: Final = 16
#: A run of letters that is not made of listed words counts as one word for each so many.
_LETTERS_PER_WORD: Final = 8
_LONGEST_WORD: Final = 9


@functools.cache
def word_list() -> tuple[bytes, ...]:
    """The 7776 words in the list's own order, which is alphabetical.

    The list is a part of the program, like its modules. ``CannotTell`` if it is not the
    published one: fewer or doubled words would weaken every passphrase unseen.
    """
    data = files("pai_signer.domain").joinpath(LIST_NAME).read_bytes()
    if hashlib.sha256(data).hexdigest() != LIST_SHA256:
        raise CannotTell(
            "KEY-1/word-list",
            "The program's word list is damaged.",
            "Install the program again from its verified offline kit.",
        )
    return tuple(line.partition(b"\t")[2] for line in data.splitlines())


def entropy_bits(words: int) -> float:
    """The bits of entropy in a passphrase of ``words`` words that were drawn at random."""
    return words * math.log2(LIST_LENGTH)


def passphrase(words: int, choose: Callable[[int], int]) -> Secret:
    """``words`` random words apart by single spaces.

    ``choose(n)`` returns an unpredictable number from 0 to n-1 (``secrets.randbelow``).
    ``UsageError`` for a count below ``MIN_WORDS`` or above ``MAX_WORDS``.
    """
    if not MIN_WORDS <= words <= MAX_WORDS:
        raise UsageError(
            "KEY-1/words",
            f"A passphrase of {words} words is not offered.",
            f"Take {MIN_WORDS} to {MAX_WORDS} words.",
        )
    known = word_list()
    drawn = [choose(LIST_LENGTH) for _ in range(words)]
    if not all(0 <= number < LIST_LENGTH for number in drawn):
        raise ValueError("the random source returned a number out of range")
    # Joined in place: ``bytes.join`` would leave a copy that nobody can wipe.
    buffer = bytearray(sum(len(known[n]) for n in drawn) + words - 1)
    at = 0
    for number in drawn:
        word = known[number]
        if at:
            buffer[at] = ord(" ")
            at += 1
        buffer[at : at + len(word)] = word
        at += len(word)
    return Secret(buffer)


def weakness(candidate: bytes | bytearray) -> str | None:
    """Why this passphrase (UTF-8) is too weak, to put after "It is too weak: "; or None.

    A judge of the worst only: nobody can see from a passphrase how it was chosen. It asks
    for ``MIN_CHARACTERS``, and for as many words or numbers as ``MIN_WORDS``, so that what
    a person makes up is not far below what is offered.
    """
    lowered = bytearray(candidate)
    try:
        for i, byte in enumerate(lowered):
            if ord("A") <= byte <= ord("Z"):
                lowered[i] = byte | 0x20
        return _weakness(candidate, lowered)
    finally:
        lowered[:] = bytes(len(lowered))


def _weakness(candidate: bytes | bytearray, lowered: bytearray) -> str | None:
    characters = sum(byte & 0xC0 != 0x80 for byte in lowered)  # without UTF-8 continuations
    shortest_period = _period(lowered)
    rules = (
        (not lowered, "it is empty"),
        # Tools stop reading at a line end, and another keyboard may not have the rest.
        (any(b < 0x20 or b == 0x7F for b in lowered), "it holds a control character"),
        (shortest_period == 1 and characters > 1, "it is one character, repeated"),
        (characters < MIN_CHARACTERS, f"it is shorter than {MIN_CHARACTERS} characters"),
        (shortest_period <= len(lowered) // 2, "it is a short piece, repeated"),
        (_only_digits(lowered), "it is made of digits only"),
        (_mostly_steps(lowered), "its characters follow each other in the alphabet"),
    )
    for holds, why in rules:
        if holds:
            return why
    words = _count_words(candidate, lowered)
    if words < MIN_WORDS:
        what = "a single word or number" if words <= 1 else f"only {words} words or numbers"
        return f"it is {what}; {MIN_WORDS} random words are the least"
    return None


def _period(data: bytearray) -> int:
    """The length of the shortest piece whose repetition gives ``data``."""
    length = len(data)
    for period in range(1, length):
        if all(data[i] == data[i - period] for i in range(period, length)):
            return period
    return max(length, 1)


def _only_digits(data: bytearray) -> bool:
    letters_or_more = (b for b in data if b > 0x7F or chr(b).isalpha())
    return next(letters_or_more, None) is None and any(chr(b).isdigit() for b in data)


def _mostly_steps(data: bytearray) -> bool:
    """Three of four neighbours differ by one or nothing: ``abcdefg...``, ``9876...``."""
    steps = sum(abs(a - b) <= 1 for a, b in itertools.pairwise(data))
    return steps * 4 >= 3 * max(len(data) - 1, 1)


@functools.cache
def _pieces() -> re.Pattern[bytes]:
    """A listed word with a hyphen, a capitalised or lower-case word, capitals, or a number."""
    hyphenated = b"|".join(re.escape(word) for word in word_list() if b"-" in word)
    return re.compile(
        rb"(?i:" + hyphenated + rb")(?![A-Za-z])|[A-Z]*[a-z\x80-\xff]+|[A-Z]+|[0-9]+", re.ASCII
    )


def _count_words(candidate: bytes | bytearray, lowered: bytearray) -> int:
    """Words and numbers in it. One may stand twice, as chance will have it; more count once."""
    seen: list[tuple[int, int]] = []
    repeated = counted = 0
    with memoryview(lowered) as view:
        for match in _pieces().finditer(candidate):
            start, end = match.span()
            if any(view[start:end] == view[a:b] for a, b in seen):
                repeated += 1
                counted += repeated == 1
                continue
            seen.append((start, end))
            counted += _words_in(lowered, start, end)
    return counted


def _words_in(lowered: bytearray, start: int, end: int) -> int:
    """The fewest listed words that spell this piece; by its length where none do."""
    fewest: list[int | None] = [0] + [None] * (end - start)
    for stop in range(1, end - start + 1):
        for begin in range(max(0, stop - _LONGEST_WORD), stop):
            before = fewest[begin]
            best = fewest[stop]
            if before is None or (best is not None and best <= before + 1):
                continue
            if _is_listed(lowered, start + begin, start + stop):
                fewest[stop] = before + 1
    spelled = fewest[-1]
    return spelled if spelled is not None else max(1, (end - start) // _LETTERS_PER_WORD)


def _is_listed(data: bytearray, start: int, end: int) -> bool:
    piece = data[start:end]
    try:
        # Compared, not hashed: a hash would need an immutable copy.
        at = bisect_left(_sorted_words(), piece)
        return at < LIST_LENGTH and _sorted_words()[at] == piece
    finally:
        piece[:] = bytes(len(piece))


@functools.cache
def _sorted_words() -> tuple[bytes, ...]:
    return tuple(sorted(word_list()))
