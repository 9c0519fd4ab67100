"""Whatever bytes come, the parsers of our own files answer or refuse; they never break."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.composition import built_in_profile
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.receipt import JournalHead, Receipt, parse_receipt, render_receipt_text
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
    parse_registry,
)
from pai_signer.domain.version import Version, parse_version
from pai_signer.errors import FormatError, UsageError

KEY: Final = RegisteredKey(
    algorithm=Algorithm.MINISIGN,
    id="E7620F1842B4E81F",  # minisign's own key; its README prints both
    public_key="RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
    state=KeyState.ACTIVE,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
REGISTRY: Final = encode_record(
    Registry(project="PAI", serial=3, changed_at=datetime(2026, 1, 1, tzinfo=UTC), keys=(KEY,))
)
RECEIPT: Final = Receipt(
    project="PAI",
    version="v1.0.0",
    visit="all",
    rehearsal=False,
    signed_at="2026-01-01T00:00:00+00:00",
    maintainer="Mia <mia@example.org>",
    program="pai-signer",
    keys=(),
    checks=(),
    journal=JournalHead(n=1, hash="0" * 64),
    files={"a": "1" * 64},
)


def spoiled(data: bytes, position: int, byte: int) -> bytes:
    changed = bytearray(data)
    changed[position % len(data)] ^= byte
    return bytes(changed)


NOT_ZERO: Final = st.integers(1, 255)
ANYWHERE: Final = st.integers(0, 1 << 16)


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_registry(position: int, byte: int) -> None:
    changed = spoiled(REGISTRY, position, byte)
    try:
        registry = parse_registry(changed)
    except FormatError:
        return
    # Another value is possible, and then its signature fails; another spelling is not.
    assert encode_record(registry) == changed
    assert registry != parse_registry(REGISTRY)


@given(ANYWHERE, NOT_ZERO)
def test_a_changed_byte_never_reads_as_the_same_receipt(position: int, byte: int) -> None:
    changed = spoiled(encode_record(RECEIPT), position, byte)
    try:
        receipt = parse_receipt(changed)
    except FormatError:
        return
    assert encode_record(receipt) == changed
    assert receipt != RECEIPT


@given(st.binary(max_size=400))
def test_no_bytes_break_the_parsers_of_json(data: bytes) -> None:
    for parse in (parse_registry, parse_receipt):
        with pytest.raises(FormatError):
            parse(data)


@given(ANYWHERE, st.integers(0, 60), st.binary(max_size=30))
def test_no_profile_breaks_its_parser(position: int, length: int, inserted: bytes) -> None:
    toml = built_in_profile()
    start = position % len(toml)
    changed = toml[:start] + inserted + toml[start + length :]
    try:
        profile = parse_profile(changed)
    except FormatError:
        return
    version = parse_version("1.2.3")
    assert profile.version_of(profile.tag_of(version)) == version
    for wanted in profile.artifacts.wanted:
        for pattern in wanted.names:
            name = pattern.replace("{tag}", profile.tag_of(version)).replace("{version}", "1.2.3")
            assert profile.release_of_name(name) is not None


@given(st.text(max_size=80))
def test_no_text_breaks_the_version_parser(text: str) -> None:
    try:
        version = parse_version(text)
    except UsageError:
        return
    assert str(version) == text


IDENTIFIER: Final = st.one_of(
    st.integers(0, 10**6).map(str), st.from_regex(r"[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True)
)
VERSIONS: Final = st.builds(
    lambda numbers, pre: parse_version(
        ".".join(map(str, numbers)) + ("-" + ".".join(pre) if pre else "")
    ),
    st.tuples(*[st.integers(0, 999)] * 3),
    st.lists(IDENTIFIER, max_size=4),
)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_have_a_total_order(a: Version, b: Version, c: Version) -> None:
    assert (a < b) + (b < a) + (a == b) == 1
    if a <= b <= c:
        assert a <= c
    if a == b:
        assert hash(a) == hash(b)


@given(st.text(max_size=200))
def test_no_text_breaks_the_lines_of_a_receipt(text: str) -> None:
    lines = render_receipt_text(RECEIPT).count("\n")
    hostile = Receipt(
        **{**{f: getattr(RECEIPT, f) for f in RECEIPT.__struct_fields__}, "maintainer": text}
    )
    shown = render_receipt_text(hostile)
    assert shown.count("\n") == lines
    assert all(line.isprintable() for line in shown.split("\n"))
