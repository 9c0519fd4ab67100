"""The tag object is git's own, and one that deviates in anything is refused (SIG-4)."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.domain.tag import (
    MAX_TAG_BYTES,
    check_identity,
    check_tag,
    check_tag_name,
    join_tag,
    object_id,
    parse_tag,
    tag_payload,
)
from pai_signer.errors import FormatError
from tests.repository import StockSigner, git, make_repository, stock_signer

OID = "0123456789abcdef0123456789abcdef01234567"
AT = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niHUE\n=abcd\n-----END PGP SIGNATURE-----\n"


def payload(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "target_oid": OID,
        "name": "v1.2.3",
        "tagger_name": "Mia Maintainer",
        "tagger_email": "mia@example.org",
        "tagged_at": AT,
        "message": "PAI v1.2.3",
    }
    return tag_payload(**{**fields, **changes})  # type: ignore[arg-type]


TAG = payload() + SIGNATURE


@pytest.fixture
def signer() -> Iterator[StockSigner]:
    folder = Path(tempfile.mkdtemp())
    try:
        with stock_signer(folder / "g") as made:
            yield made
    finally:
        shutil.rmtree(folder)


def test_the_payload_is_what_git_tag_s_signs(tmp_path: Path, signer: StockSigner) -> None:
    repository = make_repository(tmp_path / "work")
    repository.git(
        *("tag", "-s", "-u", signer.user_id, "-m", "PAI v1.2.3", "v1.2.3"),
        environment={
            **signer.environment,
            "GIT_COMMITTER_NAME": "Mia Maintainer",
            "GIT_COMMITTER_EMAIL": "mia@example.org",
            "GIT_COMMITTER_DATE": f"{int(AT.timestamp())} +0000",
        },
    )
    stock = git(repository.path, "cat-file", "tag", "v1.2.3").stdout
    tag = parse_tag(stock)
    assert tag.payload == payload(target_oid=repository.head)
    assert (tag.name, tag.target_oid, tag.message) == ("v1.2.3", repository.head, "PAI v1.2.3")
    assert (tag.tagger_name, tag.tagger_email) == ("Mia Maintainer", "mia@example.org")
    assert tag.tagged_at == AT
    assert tag.payload + tag.signature == stock
    assert object_id("tag", stock) == repository.git("rev-parse", "v1.2.3")


def test_git_verify_tag_accepts_the_tag_that_we_build(tmp_path: Path, signer: StockSigner) -> None:
    repository = make_repository(tmp_path / "work")
    ours = payload(target_oid=repository.head, message="PAI v1.2.3\n\nSecond part\nÄ")
    built = join_tag(ours, signer.sign(ours))
    oid = repository.git("mktag", stdin=built)
    repository.git("update-ref", "refs/tags/v1.2.3", oid)
    verified = git(repository.path, "verify-tag", "--raw", "v1.2.3", environment=signer.environment)
    assert b"GOODSIG" in verified.stderr
    assert oid == object_id("tag", built)
    repository.git("fsck", "--strict")


@pytest.mark.parametrize("name", ["v1.0", "v1.2.3-rc.1", "2026.11", "v1.0+b1"])
def test_plain_tag_names_pass(name: str) -> None:
    check_tag_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-v1",
        "--upload-pack=x",
        "v1..2",
        "v1/2",
        ".v1",
        "v1.",
        "v1.lock",
        "v 1",
        "v1\n",
        "v1^",
        "v1@{0}",
        "v1~",
        "é1",
        "v" * 101,
        "v1\x00",
        "v1\x1b[2J",
        "v1:x",
        "*",
    ],
)
def test_any_other_tag_name_is_refused(name: str) -> None:
    with pytest.raises(FormatError, match="SIG-4/tag-name"):
        check_tag_name(name)


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("", "m@x.org"),
        ("Mia", ""),
        ("Mia\nobject x", "m@x.org"),
        ("Mia <evil@x.org>", "m@x.org"),
        ("Mia", "m@x.org> 1 +0000\ntagger E <e@x"),
        ("Mia\x1b[2J", "m@x.org"),
        ("Mia\u202e", "m@x.org"),
        ("Mia\udcff", "m@x.org"),
        (" Mia", "m@x.org"),
        ("Mia", "m@x.org "),
        ("Mia", "m x@x.org"),
        ("Mia", "nowhere"),
        ("Mia", "a@b@c"),
        ("'Mia'", "m@x.org"),
        ("M" * 201, "m@x.org"),
    ],
)
def test_an_identity_that_could_forge_a_field_is_refused(name: str, email: str) -> None:
    with pytest.raises(FormatError, match="SIG-4/identity"):
        check_identity(name, email)


@pytest.mark.parametrize("name", ["Mia", "Mía Ñandú", "M. A. Intainer", "李"])
def test_an_ordinary_identity_passes(name: str) -> None:
    check_identity(name, "m.x+y@example.org")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n",
        "x\n",
        "\nx",
        "a\n\n\nb",
        "a ",
        "a\t",
        "# a",
        "a\x00",
        "a\x1b",
        "a\r",
        "a\u202eb",
        "-----BEGIN PGP SIGNATURE-----",
        "a\n-----BEGIN SSH SIGNATURE-----",
    ],
)
def test_a_message_that_git_would_rewrite_or_misread_is_refused(message: str) -> None:
    with pytest.raises(FormatError, match="SIG-4/message"):
        payload(message=message)


@pytest.mark.parametrize("message", ["a\n\nb", "one\ntwo", "-- x", "a # b"])
def test_git_leaves_the_messages_that_we_accept_as_they_are(tmp_path: Path, message: str) -> None:
    stripped = git(tmp_path, "stripspace", "--strip-comments", stdin=message.encode()).stdout
    assert stripped.decode() == message + "\n"
    assert payload(message=message).endswith(b"\n\n" + stripped)


def test_the_target_must_be_a_full_object_id_and_the_time_after_1970() -> None:
    for oid in ("", "0123456", OID.upper(), OID + "0", "HEAD"):
        with pytest.raises(FormatError, match="SIG-4/target"):
            payload(target_oid=oid)
    with pytest.raises(FormatError, match="SIG-4/time"):
        payload(tagged_at=datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("unsigned", b""),
        ("unsigned", payload()),
        ("size", payload() + b"x" * MAX_TAG_BYTES + SIGNATURE),
        ("signature", TAG + b"\n"),
        ("signature", TAG + SIGNATURE),
        ("signature", TAG.removesuffix(b"\n")),
        ("signature", TAG[:-40]),
        ("signature", TAG.replace(b"iHUE\n", b"-----BEGIN SSH SIGNATURE-----\n")),
        ("headers", TAG.replace(b"object ", b"Object ")),
        ("headers", TAG.replace(b"\ntagger ", b"\nencoding x\ntagger ")),
        ("headers", TAG.replace(b"type commit\n", b"")),
        ("headers", TAG.replace(b"type commit\n", b"type commit\ntype commit\n")),
        ("headers", TAG.replace(b"\n\nPAI", b"\ngpgsig x\n\nPAI")),
        ("target", TAG.replace(OID.encode(), b"0" * 39)),
        ("target", TAG.replace(OID.encode(), OID.upper().encode())),
        ("type", TAG.replace(b"type commit", b"type tag")),
        ("type", TAG.replace(b"type commit", b"type tree")),
        ("tag-name", TAG.replace(b"tag v1.2.3", b"tag v1/2.3")),
        ("tag-name", TAG.replace(b"tag v1.2.3", b"tag ")),
        ("tagger", TAG.replace(b"+0000", b"+0100")),
        ("tagger", TAG.replace(b"<mia@example.org>", b"<<mia@example.org>>")),
        ("tagger", TAG.replace(str(int(AT.timestamp())).encode(), b"999999999999")),
        ("identity", TAG.replace(b"Mia Maintainer", b"Mia\x1b[2J")),
        ("message", TAG.replace(b"PAI v1.2.3\n-", b"\n-")),
        ("message", TAG.replace(b"PAI v1.2.3\n-", b"PAI\x1b\n-")),
        ("message", TAG.replace(b"PAI v1.2.3\n-", b"PAI\n\n-")),
        ("encoding", TAG.replace(b"PAI v1.2.3\n-", b"PAI \xff\n-")),
        ("spelling", TAG.replace(b" 1", b" 01", 1)),
    ],
)
def test_a_tag_that_deviates_in_anything_is_refused(code: str, data: bytes) -> None:
    assert data != TAG
    with pytest.raises(FormatError, match=f"SIG-4/{code}:"):
        parse_tag(data)


def test_another_releases_good_tag_is_not_this_releases_tag() -> None:
    tag = parse_tag(TAG)
    check_tag(tag, name="v1.2.3", target_oid=OID)
    with pytest.raises(FormatError, match="SIG-4/other-name"):
        check_tag(tag, name="v2.0", target_oid=OID)
    with pytest.raises(FormatError, match="SIG-4/other-commit"):
        check_tag(tag, name="v1.2.3", target_oid="f" * 40)


def test_joining_refuses_a_signature_that_is_none() -> None:
    for signature in (b"", b"\n" + SIGNATURE, SIGNATURE + SIGNATURE, b"junk\n" + SIGNATURE):
        with pytest.raises(FormatError):
            join_tag(payload(), signature)
