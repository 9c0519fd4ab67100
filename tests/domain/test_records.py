"""Records are read back byte for byte as they are written."""

import pytest

from pai_signer.domain.artifact import Candidate, Finding, FindingLevel
from pai_signer.domain.records import decode_record, encode_record
from pai_signer.errors import FormatError

PLAIN = Finding(level=FindingLevel.NOTE, text="caf\u00e9")


def test_a_record_is_plain_json_with_a_final_newline() -> None:
    data = encode_record(PLAIN)
    assert data == '{\n  "level": "note",\n  "text": "caf\u00e9"\n}\n'.encode()
    assert decode_record(data, Finding, "x") == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b'{"level": "note", "text": "x"}',
        b'{\n  "text": "x",\n  "level": "note"\n}\n',
        b'{\n  "level": "note",\n  "text": "\\u0078"\n}\n',
        b'{\n  "level": "note",\n  "text": "x",\n  "text": "y"\n}\n',
        b'{\n  "level": "note",\n  "text": 1\n}\n',
        b'{\n  "level": "worse",\n  "text": "x"\n}\n',
        b'{\n  "level": "note",\n  "text": "\\ud800"\n}\n',
        b"\xef\xbb\xbf" + encode_record(PLAIN),
        encode_record(PLAIN).replace(b"\n", b"\r\n"),
        b"[" * 200_000,
    ],
)
def test_anything_that_we_would_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as error:
        decode_record(data, Finding, "x.json")
    assert error.value.code == "FORMAT/x.json"


def test_a_record_over_its_limit_is_refused_before_it_is_parsed() -> None:
    data = encode_record(Candidate(version="v1", imported_at="", source="x" * 1000))
    with pytest.raises(FormatError, match="larger than 100"):
        decode_record(data, Candidate, "x", limit_bytes=100)
