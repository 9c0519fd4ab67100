"""The receipt: strict to read, plain to look at (EXP-3)."""

import hashlib
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.policy import CheckResult, Result
from pai_signer.domain.receipt import (
    JournalHead,
    Receipt,
    ReceiptArtifact,
    ReceiptKey,
    ReceiptTag,
    ReceiptTool,
    head_words,
    parse_receipt,
    receipt_name,
    render_receipt_text,
    text_name,
)
from pai_signer.domain.records import encode_record
from pai_signer.domain.words import to_words
from pai_signer.errors import FormatError

WAIVED: Final = CheckResult(
    id="POL-7",
    title="custody",
    result=Result.WAIVED,
    text="not set up",
    waivable=True,
    reason="why",
)


def receipt(**changes: Any) -> Receipt:
    plain = Receipt(
        project="PAI",
        version="v1.0.0",
        visit="all",
        rehearsal=False,
        signed_at="2026-01-01T00:00:00+00:00",
        maintainer="Mia <mia@example.org>",
        program="pai-signer 0.1.0",
        keys=(ReceiptKey(algorithm="minisign", id="ABC"),),
        checks=(WAIVED,),
        journal=JournalHead(n=7, hash="0123456789abcdef" * 4),
        files={"SHA256SUMS": hashlib.sha256(b"").hexdigest()},
        artifacts=(
            ReceiptArtifact(
                name="pai-1.0.0-amd64.iso",
                size_bytes=1234567,
                sha256="1" * 64,
                blake2b_512="2" * 128,
                vouched_for_by=(),
                findings=("ISO 9660 image",),
            ),
        ),
        manifest_sha256="3" * 64,
        tag=ReceiptTag(name="v1.0.0", oid="4" * 40, commit="5" * 40),
    )
    return msgspec.structs.replace(plain, **changes)


def test_it_reads_back_as_it_was_written() -> None:
    assert parse_receipt(encode_record(receipt())) == receipt()


def test_one_from_before_program_and_tools_stood_on_it_is_still_a_receipt() -> None:
    older = encode_record(receipt())
    assert b"program_sha256" not in older
    assert b"tools" not in older
    newer = receipt(
        program_sha256="6" * 64,
        tools=(ReceiptTool(name="gpg", path="/usr/bin/gpg", version="gpg (GnuPG) 2.2.40"),),
    )
    assert parse_receipt(encode_record(newer)) == newer != parse_receipt(older)
    text = render_receipt_text(newer)
    assert f"program        pai-signer 0.1.0\n  its files    {'6' * 64}\n" in text
    assert "tool           gpg (GnuPG) 2.2.40 (/usr/bin/gpg)\n" in text
    assert "its files" not in render_receipt_text(receipt())
    with pytest.raises(FormatError):
        parse_receipt(encode_record(newer).replace(b'"path"', b'"place"'))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"  ", b"\t", 1),
        lambda data: data.replace(b'"format": 1', b'"format": 2'),
        lambda data: data.replace(b'"format": 1,', b'"format": 1, "more": 1,'),
        lambda data: data.replace(b'"visit": "all"', b'"visit": "none"'),
        lambda data: data.replace(b'"result": "waived"', b'"result": "fine"'),
        lambda data: data.replace(b'"n": 7', b'"n": "7"'),
        lambda data: data.replace(b"PAI", b"\xff"),
        lambda data: b"[" * 100_000,
        lambda data: b"",
        lambda data: b" " * (1 << 20) + data,
    ],
)
def test_a_second_spelling_or_another_format_is_refused(change: Any) -> None:
    with pytest.raises(FormatError):
        parse_receipt(change(encode_record(receipt())))


def test_a_tag_visit_has_a_receipt_of_its_own() -> None:
    assert {receipt_name(visit) for visit in ("all", "manifest")} == {"receipt.json"}
    assert receipt_name("tag") == "receipt-tag.json"
    assert text_name("receipt-tag.json") == "receipt-tag.txt"


def test_the_text_says_everything_that_a_person_needs() -> None:
    text = render_receipt_text(receipt())
    for part in (
        "RECEIPT: PAI v1.0.0 (all)",
        "waived because: why",
        "by nobody (waived)",
        "1,234,567 bytes",
        "5" * 40,
        "journal entry  7",
        "0123456789abcdef" * 4,
        head_words("0123456789abcdef" * 4),
    ):
        assert part in text
    assert "REHEARSAL" not in text


def test_a_rehearsal_says_so_in_its_text() -> None:
    assert "REHEARSAL" in render_receipt_text(receipt(rehearsal=True)).splitlines()[1]


def test_no_text_from_outside_breaks_a_line_of_the_receipt() -> None:
    hostile = msgspec.structs.replace(WAIVED, text="a\x1b[2J\nSIGNED BY  somebody\u202e")
    text = render_receipt_text(receipt(checks=(hostile,)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not any(line.startswith("SIGNED BY") for line in text.splitlines())


def test_the_words_are_those_of_the_heads_first_bytes() -> None:
    assert head_words("00" * 32) == " ".join(to_words(b"\0" * 8))
