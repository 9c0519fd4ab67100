"""The minisign parsers: whatever comes in, a parsed value or a FormatError comes out."""

import base64
from contextlib import suppress

import hypothesis.strategies as st
from hypothesis import given

from pai_signer.domain.minisig import (
    MinisignPublicKey,
    file_in_comment,
    parse_public_key,
    parse_public_key_file,
    parse_secret_key_header,
    parse_signature,
    render_public_key_file,
    trusted_comment,
)
from pai_signer.errors import FormatError

keys = st.builds(
    MinisignPublicKey,
    key_id=st.binary(min_size=8, max_size=8),
    ed25519=st.binary(min_size=32, max_size=32),
)
plain = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)


def rendered(key_id: bytes, signature: bytes, comment: str, over_comment: bytes) -> bytes:
    line = base64.b64encode(b"ED" + key_id + signature).decode()
    last = base64.b64encode(over_comment).decode()
    return f"untrusted comment: x\n{line}\ntrusted comment: {comment}\n{last}\n".encode()


@given(keys)
def test_public_keys_survive_the_round_trip(key: MinisignPublicKey) -> None:
    assert parse_public_key(key.line) == key
    assert parse_public_key_file(render_public_key_file(key)) == key
    assert int(key.shown_id, 16).to_bytes(8, "little") == key.key_id


@given(
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=64, max_size=64),
    plain,
    st.binary(min_size=64, max_size=64),
)
def test_signatures_survive_the_round_trip(
    key_id: bytes, signature: bytes, comment: str, over_comment: bytes
) -> None:
    parsed = parse_signature(rendered(key_id, signature, comment, over_comment))
    assert (parsed.key_id, parsed.signature) == (key_id, signature)
    assert (parsed.trusted_comment, parsed.comment_signature) == (comment, over_comment)


@given(st.binary(max_size=400))
def test_no_bytes_break_a_parser_otherwise(data: bytes) -> None:
    for parse in (parse_signature, parse_public_key_file, parse_secret_key_header):
        with suppress(FormatError):
            parse(data)


@given(st.data())
def test_one_changed_byte_never_parses_to_the_same_signature(data: st.DataObject) -> None:
    good = rendered(bytes(8), bytes(range(64)), "project:p\tversion:v\tfile:f", bytes(64))
    start = good.index(b"\n") + 1
    at = data.draw(st.integers(start, len(good) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != good[at]))
    changed = good[:at] + bytes([value]) + good[at + 1 :]
    with suppress(FormatError):
        assert parse_signature(changed) != parse_signature(good)


@given(st.text(max_size=200))
def test_no_text_breaks_the_key_line_parser_otherwise(text: str) -> None:
    with suppress(FormatError):
        assert parse_public_key(text).line == text


@given(plain, plain, plain.filter(lambda t: "/" not in t))
def test_the_file_of_a_trusted_comment_is_found_again(
    project: str, version: str, file: str
) -> None:
    comment = trusted_comment(project, version, file)
    assert file_in_comment(comment) == file
    assert comment.isascii()
