"""Any file comes back from its codes; whatever is scanned, the answer is ours (EXP-4)."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.names import why_unsafe
from pai_signer.domain.qr_parts import (
    CODE_CHARACTERS,
    JoinedFile,
    cut_for_codes,
    join_scanned,
    number_ranges,
    parse_numbers,
    parse_payload,
)
from pai_signer.errors import FormatError, SignerError

names = st.from_regex(r"[A-Za-z0-9._+-]{1,40}", fullmatch=True).filter(
    lambda name: why_unsafe(name) is None
)
data = st.binary(min_size=1, max_size=2000)
#: What hostile lines are made of: pieces of ours, and anything.
pieces = st.sampled_from(
    ["PSQ1:", "PSQ1:0000:", "A:", "%", "$", "..", "1/1:", "9/999:", "0123456789ABCDEF:", "ME", "\n"]
)
scanned = st.lists(st.one_of(pieces, st.text(max_size=20)), max_size=40).map("".join)


@given(names, data, st.randoms(use_true_random=False))
def test_any_file_comes_back_in_any_order(name: str, content: bytes, order: random.Random) -> None:
    lines = [part.payload for part in cut_for_codes(name, content)]
    assert all(len(line) <= CODE_CHARACTERS for line in lines)
    lines += lines[::3]
    order.shuffle(lines)
    (joined,) = join_scanned("\n".join(lines))
    assert (joined.name, joined.data) == (name, content)


@given(scanned)
def test_whatever_is_scanned_is_joined_or_refused_in_our_words(text: str) -> None:
    files: tuple[JoinedFile, ...] = ()
    refusal = None
    try:
        files = join_scanned(text)
    except SignerError as error:
        refusal = error
    if refusal is not None:
        assert refusal.code.startswith("EXP-4/")
        assert len(refusal.summary) < 4000
    assert all(why_unsafe(file.name) is None for file in files)
    assert sum(len(file.data) for file in files) <= len(text)


@given(names, data, st.integers(0, CODE_CHARACTERS - 1), st.characters(codec="ascii"))
def test_a_changed_character_is_noticed_or_changes_nothing(
    name: str, content: bytes, at: int, char: str
) -> None:
    part = cut_for_codes(name, content)[0]
    line = part.payload
    changed = line[: at % len(line)] + char + line[at % len(line) + 1 :]
    try:
        read = parse_payload(changed)
    except FormatError:
        return
    # One in 65,536 passes the part's check; the digest of the whole file stands behind it.
    assert read == part or (read.name, read.digest, read.data) != (name, part.digest, part.data)


@given(st.sets(st.integers(1, 500), min_size=1))
def test_ranges_are_read_as_they_are_written(numbers: set[int]) -> None:
    assert parse_numbers(number_ranges(sorted(numbers)), 500) == tuple(sorted(numbers))
