"""The OpenPGP parsers: whatever comes in, a verdict or a SignerError comes out."""

import base64
from contextlib import suppress
from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import given

from pai_signer.domain.openpgp import (
    check_user_id,
    grouped_fingerprint,
    parse_fingerprint,
    parse_key_listing,
)
from pai_signer.domain.openpgp_armor import check_armored_certificate, parse_armored_signature
from pai_signer.domain.openpgp_status import judge_signature, parse_status
from pai_signer.errors import FormatError, SignerError

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PRIMARY = "E9118D849A1BCDB11DCACF49CA136AD66A0B9B95"
GOOD = (
    "NEWSIG",
    f"GOODSIG {PRIMARY[-16:]} A <a@b.c>",
    f"VALIDSIG {PRIMARY} 2026-11-23 1795469904 0 4 0 22 10 00 {PRIMARY}",
)
VERDICTS = ("EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG", "GOODSIG")
TROUBLE = ("NEWSIG", GOOD[2], *(f"{word} {PRIMARY[-16:]} A" for word in VERDICTS))
fields = st.lists(st.text("0123456789ABCDEFaceis:\\x-", max_size=12), max_size=20).map(":".join)
records = st.sampled_from(["pub", "sec", "sub", "ssb", "fpr", "uid", "tru"])


def status(lines: tuple[str, ...]) -> bytes:
    return "".join(f"[GNUPG:] {line}\n" for line in lines).encode()


@given(st.binary(max_size=300))
def test_no_bytes_break_a_parser_otherwise(data: bytes) -> None:
    for parse in (parse_status, parse_key_listing, parse_armored_signature):
        with suppress(SignerError):
            parse(data)


@given(st.lists(st.tuples(records, fields), max_size=8))
def test_no_listing_breaks_the_parser_otherwise(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{record}:{rest}\n" for record, rest in lines)
    with suppress(SignerError):
        for certificate in parse_key_listing(text.encode()):
            assert len(certificate.primary.fingerprint) == 40


@given(st.sampled_from(TROUBLE), st.integers(0, 3))
def test_one_more_verdict_anywhere_is_never_good(extra: str, at: int) -> None:
    lines = (*GOOD[:at], extra, *GOOD[at:])
    assert judge_signature(status(GOOD), (), [PRIMARY], NOW).primary_fingerprint == PRIMARY
    try:
        judge_signature(status(lines), (), [PRIMARY], NOW)
    except SignerError:
        return
    raise AssertionError(lines)


@given(st.integers(0, len(status(GOOD)) - 1), st.integers(0, 255))
def test_changed_status_never_names_another_signer(at: int, value: int) -> None:
    data = bytearray(status(GOOD))
    data[at] = value
    with suppress(SignerError):
        signed_by = judge_signature(bytes(data), (), [PRIMARY], NOW)
        assert signed_by.primary_fingerprint == PRIMARY


@given(st.text("0123456789ABCDEF", min_size=40, max_size=40))
def test_fingerprints_survive_grouping(fingerprint: str) -> None:
    assert parse_fingerprint(grouped_fingerprint(fingerprint)) == fingerprint


@given(st.text(max_size=60))
def test_accepted_user_ids_are_one_visible_line(text: str) -> None:
    for user_id in (text, f"{text} <a@b.c>"):
        with suppress(FormatError):
            accepted = check_user_id(user_id)
            assert accepted.isprintable()
            assert accepted.count("<") == accepted.count(">") == 1


@given(st.binary(max_size=400))
def test_only_one_whole_signature_packet_comes_out_of_armor(packets: bytes) -> None:
    body = base64.encodebytes(packets).decode().strip()
    kind = "PGP SIGNATURE"
    data = f"-----BEGIN {kind}-----\n\n{body}\n-----END {kind}-----\n".encode()
    with suppress(FormatError):
        packet = parse_armored_signature(data)
        assert packet == packets
        assert packet[0] in {0x88, 0x89, 0x8A, 0xC2}


@given(st.text(max_size=200))
def test_no_text_breaks_the_certificate_check_otherwise(text: str) -> None:
    with suppress(FormatError):
        check_armored_certificate(text)
