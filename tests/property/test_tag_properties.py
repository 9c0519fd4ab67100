"""Any tag that we build is read back; nothing is read that we would not build (SIG-4, EXP-1)."""

import hashlib
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.bundle_header import parse_bundle_header
from pai_signer.domain.tag import TagObject, join_tag, object_id, parse_tag, tag_payload
from pai_signer.domain.tag_bundle import parse_tag_bundle, with_prerequisite
from pai_signer.errors import FormatError

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niHUE\n=abcd\n-----END PGP SIGNATURE-----\n"
OIDS = st.text("0123456789abcdef", min_size=40, max_size=40)
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9+-]{0,20}\Z")
PERSONS = st.from_regex(r"\A[A-Za-zÀ-ÖØ-öø-ÿ0-9]([A-Za-zÀ-ÖØ-öø-ÿ .'-]{0,20}[A-Za-z0-9])?\Z")
EMAILS = st.from_regex(r"\A[a-z0-9]([a-z0-9.+-]{0,10}[a-z0-9])?@[a-z0-9]{1,10}\.org\Z")
TIMES = st.integers(1, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
LINES = st.from_regex(r"\A[A-Za-z0-9À-ÿ][A-Za-z0-9 .,:#-]{0,30}[a-z0-9]\Z").filter(str.isprintable)
MESSAGES = st.lists(LINES, min_size=1, max_size=4).map("\n".join) | st.lists(
    LINES, min_size=2, max_size=3
).map("\n\n".join)


@given(OIDS, NAMES, PERSONS, EMAILS, TIMES, MESSAGES)
def test_every_tag_that_we_build_is_read_back(
    oid: str, name: str, person: str, email: str, at: datetime, message: str
) -> None:
    payload = tag_payload(
        target_oid=oid,
        name=name,
        tagger_name=person,
        tagger_email=email,
        tagged_at=at,
        message=message,
    )
    assert parse_tag(join_tag(payload, SIGNATURE)) == TagObject(
        target_oid=oid,
        name=name,
        tagger_name=person,
        tagger_email=email,
        tagged_at=at,
        message=message,
        payload=payload,
        signature=SIGNATURE,
    )


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_is_refused_or_comes_back_in_its_own_field(
    name: str, person: str, email: str, message: str
) -> None:
    try:
        payload = tag_payload(
            target_oid="0" * 40,
            name=name,
            tagger_name=person,
            tagger_email=email,
            tagged_at=datetime(2026, 1, 1, tzinfo=UTC),
            message=message,
        )
    except FormatError:
        return
    tag = parse_tag(payload + SIGNATURE)
    assert (tag.name, tag.tagger_name, tag.tagger_email) == (name, person, email)
    assert tag.message == message


GOOD = (
    tag_payload(
        target_oid="0" * 40,
        name="v1",
        tagger_name="M",
        tagger_email="m@x.org",
        tagged_at=datetime(2026, 1, 1, tzinfo=UTC),
        message="x",
    )
    + SIGNATURE
)
BODY = b"PACK\0\0\0\2\0\0\0\1" + bytes([4 << 4 | 128 | len(GOOD) & 15, len(GOOD) >> 4])
PACK = BODY + zlib.compress(GOOD)
BUNDLE = with_prerequisite(
    f"# v2 git bundle\n{object_id('tag', GOOD)} refs/tags/v1\n\n".encode()
    + PACK
    + hashlib.sha1(PACK, usedforsecurity=False).digest(),
    "0" * 40,
)


def test_the_samples_that_are_changed_below_are_good() -> None:
    assert parse_tag(GOOD).name == "v1"
    assert parse_tag_bundle(BUNDLE).tag_object == GOOD


@given(st.data())
def test_a_changed_tag_is_refused_or_is_whole_again(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, len(GOOD)))
    changed = GOOD[:start] + data.draw(st.binary(max_size=20)) + GOOD[end:]
    try:
        tag = parse_tag(changed)
    except FormatError:
        return
    assert tag.payload + tag.signature == changed


@given(st.data())
def test_a_changed_bundle_never_yields_another_tag(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(BUNDLE)))
    end = data.draw(st.integers(start, len(BUNDLE)))
    changed = BUNDLE[:start] + data.draw(st.binary(max_size=20)) + BUNDLE[end:]
    try:
        found = parse_tag_bundle(changed)
    except FormatError:
        return
    assert found.tag_object == GOOD
    assert found.tag_oid == object_id("tag", GOOD)


@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused_but_never_crash(data: bytes) -> None:
    for parse in (parse_tag, parse_tag_bundle, parse_bundle_header):
        with pytest.raises(FormatError):
            parse(data)


@given(st.lists(st.text(), max_size=5), st.sampled_from(["# v2 git bundle", "# v3 git bundle"]))
def test_any_bundle_header_is_parsed_or_refused(lines: list[str], start: str) -> None:
    data = "\n".join([start, *lines, "", ""]).encode("utf-8", "surrogatepass") + b"PACK"
    try:
        header = parse_bundle_header(data)
    except FormatError as error:
        header, refusal = None, error.summary
    if header is None:
        assert refusal.isprintable()
    else:
        assert header.refs


@given(st.lists(st.tuples(OIDS, st.from_regex(r"\A[a-z]{1,5}(/[a-z]{1,5})?\Z")), min_size=1))
def test_plain_headers_are_read_or_contradict_themselves(pairs: list[tuple[str, str]]) -> None:
    lines = "".join(f"{oid} refs/heads/{name}\n" for oid, name in pairs)
    names = [name for _, name in pairs]
    contradicts = len(set(names)) < len(names) or any(
        longer.startswith(shorter + "/") for shorter in names for longer in names
    )
    try:
        header = parse_bundle_header(b"# v2 git bundle\n" + lines.encode() + b"\nPACK")
    except FormatError:
        assert contradicts
        return
    assert not contradicts
    assert header.refs == {f"refs/heads/{name}": oid for oid, name in pairs}
