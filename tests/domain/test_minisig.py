"""The minisign formats: what is read, what is refused, what is written."""

import base64

import pytest

from pai_signer.domain import minisig
from pai_signer.domain.minisig import (
    STOCK_LIMITS,
    MinisignPublicKey,
    ScryptLimits,
    check_file_in_comment,
    file_in_comment,
    parse_public_key,
    parse_public_key_file,
    parse_secret_key_header,
    parse_signature,
    render_public_key_file,
    shown_key_id,
    trusted_comment,
)
from pai_signer.errors import BadSignature, FormatError

KEY = MinisignPublicKey(key_id=bytes(range(1, 9)), ed25519=bytes(range(32)))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def signature_file(
    *,
    algorithm: bytes = b"ED",
    untrusted: str = "untrusted comment: signature from minisign secret key",
    trusted: str = "trusted comment: project:PAI\tversion:v1.2.3\tfile:SHA256SUMS",
) -> bytes:
    blob = algorithm + KEY.key_id + bytes(64)
    return f"{untrusted}\n{b64(blob)}\n{trusted}\n{b64(bytes(64))}\n".encode()


def secret_key_file(
    *, kdf: bytes = b"Sc", checksum: bytes = b"B2", ops: int = 33554432, mem: int = 1 << 30
) -> bytes:
    limits = ops.to_bytes(8, "little") + mem.to_bytes(8, "little")
    blob = b"Ed" + kdf + checksum + bytes(32) + limits + bytes(104)
    return f"untrusted comment: minisign encrypted secret key\n{b64(blob)}\n".encode()


def test_key_id_is_a_little_endian_number_in_upper_hex() -> None:
    assert shown_key_id(bytes.fromhex("9b3feea6a45c2f0f")) == "F2F5CA4A6EE3F9B"
    assert KEY.shown_id == "807060504030201"


def test_public_key_file_is_stock_with_comment_and_final_newline() -> None:
    rendered = render_public_key_file(KEY)
    assert (
        rendered == f"untrusted comment: minisign public key {KEY.shown_id}\n{KEY.line}\n".encode()
    )
    assert parse_public_key_file(rendered) == KEY
    assert parse_public_key(KEY.line) == KEY


@pytest.mark.parametrize(
    "line",
    [
        "",
        " " + KEY.line,
        KEY.line + "\n",
        KEY.line[:-1],
        KEY.line[:-4],
        b64(b"ED" + KEY.key_id + KEY.ed25519),
        b64(b"Ed" + KEY.key_id + KEY.ed25519 + b"x"),
        KEY.line.replace("A", "\u0410", 1),
    ],
)
def test_public_key_line_in_any_other_form_is_refused(line: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_public_key(line)
    assert caught.value.code == "SIG-2/format"


def test_second_base64_spelling_of_the_same_bytes_is_refused() -> None:
    data = signature_file()
    # 74 bytes end with one unused pair of bits: its other spellings decode alike.
    line = data.split(b"\n")[3]
    assert line.endswith(b"A==")
    twin = line[:-3] + b"B=="
    assert base64.b64decode(twin, validate=True) == base64.b64decode(line)
    with pytest.raises(FormatError, match="canonical"):
        parse_signature(data.replace(line, twin))


def test_public_key_file_with_further_lines_is_refused() -> None:
    with pytest.raises(FormatError, match="3 lines"):
        parse_public_key_file(render_public_key_file(KEY) + KEY.line.encode() + b"\n")


def test_signature_gives_its_parts() -> None:
    parsed = parse_signature(signature_file())
    assert parsed.key_id == KEY.key_id
    assert parsed.untrusted_comment == "signature from minisign secret key"
    assert parsed.trusted_comment == "project:PAI\tversion:v1.2.3\tfile:SHA256SUMS"
    assert parsed.commented_bytes == bytes(64) + parsed.trusted_comment.encode()


def test_legacy_signature_is_refused_by_its_own_code() -> None:
    with pytest.raises(FormatError) as caught:
        parse_signature(signature_file(algorithm=b"Ed"))
    assert caught.value.code == "SIG-2/legacy"


def test_unknown_signature_algorithm_is_refused() -> None:
    with pytest.raises(FormatError, match="algorithm"):
        parse_signature(signature_file(algorithm=b"XX"))


@pytest.mark.parametrize("hidden", ["\x1b[31m", "\r", "\x00", "\x7f", "\u202e", "\u200b", "\x85"])
@pytest.mark.parametrize("which", ["untrusted", "trusted"])
def test_comment_with_invisible_characters_is_refused(which: str, hidden: str) -> None:
    line = f"{which} comment: a{hidden}b"
    data = signature_file(untrusted=line) if which == "untrusted" else signature_file(trusted=line)
    with pytest.raises(FormatError, match="cannot be seen"):
        parse_signature(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n\n",
        signature_file() + b"\n",
        signature_file() + b"extra\n",
        signature_file().replace(b"\n", b"\r\n"),
        signature_file().replace(b"untrusted comment: ", b"comment: "),
        signature_file().replace(b"\ntrusted comment: ", b"\nuntrusted comment: "),
        signature_file(untrusted="untrusted comment: " + "x" * 1024),
        signature_file(trusted="trusted comment: " + "x" * 8192),
        signature_file().replace(b"PAI", b"\xff"),
        b"\xef\xbb\xbf" + signature_file(),
    ],
)
def test_malformed_signature_file_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_signature(data)
    assert caught.value.code == "SIG-2/format"


def test_oversized_file_is_refused_before_it_is_split() -> None:
    with pytest.raises(FormatError, match="larger"):
        parse_signature(b"\n" * (minisig.MAX_FILE_BYTES + 1))


def test_missing_final_newline_is_forgiven() -> None:
    assert parse_signature(signature_file().removesuffix(b"\n")) == parse_signature(
        signature_file()
    )


def test_secret_key_header_tells_encryption_and_limits() -> None:
    header = parse_secret_key_header(secret_key_file())
    assert (header.is_encrypted, header.limits) == (True, STOCK_LIMITS)
    assert not parse_secret_key_header(secret_key_file(kdf=b"\0\0", ops=0, mem=0)).is_encrypted
    huge = parse_secret_key_header(secret_key_file(ops=1 << 40))
    assert huge.limits == ScryptLimits(1 << 40, 1 << 30)


@pytest.mark.parametrize(
    "data", [secret_key_file(kdf=b"Ar"), secret_key_file(checksum=b"\0\0"), signature_file()]
)
def test_unknown_secret_key_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_secret_key_header(data)


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [((2, 2), (2, 2)), ((3, 2), (2, 2)), ((2, 3), (2, 2))],
)
def test_limits_at_least_wants_both_numbers(
    stronger: tuple[int, int], weaker: tuple[int, int]
) -> None:
    assert ScryptLimits(*stronger).at_least(ScryptLimits(*weaker))
    assert not ScryptLimits(1, 9).at_least(ScryptLimits(2, 2))
    assert not ScryptLimits(9, 1).at_least(ScryptLimits(2, 2))


def test_trusted_comment_names_project_version_and_file_without_a_clock() -> None:
    comment = trusted_comment("PAI", "v1.2.3", "SHA256SUMS")
    assert comment == "project:PAI\tversion:v1.2.3\tfile:SHA256SUMS"
    assert "timestamp" not in comment
    assert file_in_comment(comment) == "SHA256SUMS"


@pytest.mark.parametrize("bad", ["", "a\tfile:b", "a\nb", "\u00e9", "a\x1bb"])
def test_trusted_comment_refuses_what_could_fake_a_field(bad: str) -> None:
    for fields in ((bad, "v1", "f"), ("p", bad, "f"), ("p", "v1", bad)):
        with pytest.raises(FormatError) as caught:
            trusted_comment(*fields)
        assert caught.value.code == "SIG-2/comment"


def test_trusted_comment_refuses_a_path() -> None:
    with pytest.raises(FormatError):
        trusted_comment("p", "v1", "../f")


def test_file_in_a_stock_comment_is_found() -> None:
    assert file_in_comment("timestamp:1700000000\tfile:a b.iso\thashed") == "a b.iso"


@pytest.mark.parametrize("comment", ["", "file:", "nofile:x", "file:a\tfile:b", "x file:a"])
def test_comment_without_exactly_one_file_is_refused(comment: str) -> None:
    with pytest.raises(FormatError) as caught:
        file_in_comment(comment)
    assert caught.value.code == "SIG-2/comment-file"


def test_renamed_file_is_refused() -> None:
    comment = trusted_comment("PAI", "v1.2.3", "pai-1.2.3-amd64.iso")
    check_file_in_comment(comment, "pai-1.2.3-amd64.iso")
    with pytest.raises(BadSignature) as caught:
        check_file_in_comment(comment, "pai-1.2.4-amd64.iso")
    assert caught.value.code == "SIG-2/renamed"
