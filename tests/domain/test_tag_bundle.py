"""A tag-only bundle is read without git, and nothing else passes for one (EXP-1, VER-1)."""

import hashlib
import zlib
from pathlib import Path

import pytest

from pai_signer.domain.tag import object_id
from pai_signer.domain.tag_bundle import (
    MAX_BUNDLE_BYTES,
    TagBundle,
    parse_tag_bundle,
    with_prerequisite,
)
from pai_signer.errors import FormatError
from tests.repository import git, make_repository

COMMIT = "24dbcd096fe775546aad47467b87b2dc185c83a2"
TAG_OBJECT = b"object " + COMMIT.encode() + b"\ntype commit\ntag v1\ntagger M <m@x> 1 +0000\n\nx\n"
TAG_OID = object_id("tag", TAG_OBJECT)


def header_of(kind: int, size_bytes: int) -> bytes:
    encoded = [kind << 4 | size_bytes & 15]
    rest = size_bytes >> 4
    while rest:
        encoded[-1] |= 128
        encoded.append(rest & 127)
        rest >>= 7
    return bytes(encoded)


def pack(content: bytes = TAG_OBJECT, kind: int = 4, count: int = 1, **changes: bytes) -> bytes:
    body = changes.get("start", b"PACK\0\0\0\2" + count.to_bytes(4, "big"))
    body += changes.get("header", header_of(kind, len(content)))
    body += changes.get("stream", zlib.compress(content))
    body += changes.get("tail", b"")
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def bundle(packed: bytes | None = None, lines: str | None = None) -> bytes:
    if lines is None:
        lines = f"# v2 git bundle\n-{COMMIT} \n{TAG_OID} refs/tags/v1\n\n"
    return lines.encode() + (pack() if packed is None else packed)


def test_stock_gits_bundle_is_read_with_its_own_object_id(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "work")
    repository.git("tag", "-a", "-m", "x", "v1")
    stock = repository.tag_bundle("v1").read_bytes()
    found = parse_tag_bundle(stock)
    assert found == TagBundle(
        ref_name="refs/tags/v1",
        tag_name="v1",
        prerequisite_oid=None,
        tag_oid=repository.git("rev-parse", "v1"),
        tag_object=git(repository.path, "cat-file", "tag", "v1").stdout,
    )
    told = with_prerequisite(stock, repository.head)
    assert parse_tag_bundle(told).prerequisite_oid == repository.head


def test_version_3_with_sha1_is_read(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "work")
    repository.git("tag", "-a", "-m", "x", "v1")
    path = tmp_path / "v3.bundle"
    repository.git("bundle", "create", "-q", "--version=3", path, "refs/tags/v1", "^HEAD")
    assert path.read_bytes().startswith(b"# v3 git bundle\n@object-format=sha1\n")
    assert parse_tag_bundle(path.read_bytes()).tag_name == "v1"


def test_our_own_rendering_is_what_the_cases_below_vary() -> None:
    assert parse_tag_bundle(bundle()).tag_object == TAG_OBJECT


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("header", b""),
        ("header", b"# v2 git bundle\n"),
        ("header", bundle(lines=f"# v1 git bundle\n{TAG_OID} refs/tags/v1\n\n")),
        ("header", bundle(lines=f"# v2 git bundle \n{TAG_OID} refs/tags/v1\n\n")),
        ("header", bundle(lines=f"# v3 git bundle\n{'@object-format=sha1'}\n\n")),
        ("capability", bundle(lines=f"# v3 git bundle\n@filter=x\n{TAG_OID} refs/tags/v1\n\n")),
        (
            "capability",
            bundle(lines=f"# v3 git bundle\n@object-format=sha256\n{TAG_OID} refs/tags/v1\n\n"),
        ),
        ("refs", bundle(lines=f"# v2 git bundle\n@object-format=sha1\n{TAG_OID} refs/tags/v1\n\n")),
        ("refs", bundle(lines=f"# v2 git bundle\n-{COMMIT}\n\n")),
        ("refs", bundle(lines=f"# v2 git bundle\n{TAG_OID} refs/heads/main\n\n")),
        ("refs", bundle(lines=f"# v2 git bundle\n{TAG_OID} HEAD\n\n")),
        ("refs", bundle(lines=f"# v2 git bundle\n-{COMMIT}\n-{COMMIT}\n{TAG_OID} refs/tags/v\n\n")),
        ("refs", bundle(lines="# v2 git bundle\n" + f"{TAG_OID} refs/tags/v1\n" * 2 + "\n")),
        ("refs", bundle(lines=f"# v2 git bundle\n{TAG_OID.upper()} refs/tags/v1\n\n")),
        ("oid", bundle(lines=f"# v2 git bundle\n{COMMIT} refs/tags/v1\n\n")),
        ("checksum", bundle(b"")),
        ("checksum", bundle(pack()[:-1])),
        ("checksum", bundle(pack() + b"x")),
        ("pack", bundle(pack(count=0))),
        ("pack", bundle(pack(count=2))),
        ("pack", bundle(pack(start=b"PACK\0\0\0\3\0\0\0\1"))),
        ("pack", bundle(pack(start=b"JUNK\0\0\0\2\0\0\0\1"))),
        ("pack", bundle(pack(header=b"\xc0", stream=b""))),
        ("pack", bundle(pack(header=b"\xff" * 6))),
        ("type", bundle(pack(kind=1))),
        ("type", bundle(pack(kind=6))),  # ofs-delta
        ("type", bundle(pack(kind=7))),  # ref-delta
        ("size", bundle(pack(header=header_of(4, len(TAG_OBJECT) - 1)))),
        ("size", bundle(pack(header=header_of(4, len(TAG_OBJECT) + 1)))),
        ("size", bundle(pack(header=header_of(4, 1 << 30)))),
        ("size", bundle(pack(tail=b"more"))),
        ("size", bundle(pack(stream=zlib.compress(TAG_OBJECT)[:-4]))),
        ("size", bundle(pack(stream=zlib.compress(bytes(10 << 20))))),  # a bomb
        ("zlib", bundle(pack(stream=b"not zlib at all"))),
        ("size", b"# v2 git bundle\n" + bytes(MAX_BUNDLE_BYTES)),
    ],
)
def test_every_malformation_is_refused(code: str, data: bytes) -> None:
    with pytest.raises(FormatError, match=f"EXP-1/tag-bundle-{code}:"):
        parse_tag_bundle(data)


@pytest.mark.parametrize("name", ["--exec=x", "../../x", "a/b", "v1\x1b[2J", "v1.lock"])
def test_a_tag_name_that_is_not_plain_is_refused(name: str) -> None:
    data = bundle(lines=f"# v2 git bundle\n{TAG_OID} refs/tags/{name}\n\n")
    with pytest.raises(FormatError, match="SIG-4/tag-name"):
        parse_tag_bundle(data)


def test_a_bundle_cut_or_flipped_anywhere_is_never_read_as_another_tag() -> None:
    whole = bundle()
    for end in range(len(whole)):
        with pytest.raises(FormatError):
            parse_tag_bundle(whole[:end])
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        try:
            found = parse_tag_bundle(bytes(flipped))
        except FormatError:
            continue
        # Only the header has bytes that no checksum covers: names, never content.
        assert position < whole.index(b"PACK")
        assert (found.tag_oid, found.tag_object) == (TAG_OID, TAG_OBJECT)


def test_a_prerequisite_is_only_added_to_a_version_2_bundle_without_one() -> None:
    plain = bundle(lines=f"# v2 git bundle\n{TAG_OID} refs/tags/v1\n\n")
    assert parse_tag_bundle(with_prerequisite(plain, COMMIT)).prerequisite_oid == COMMIT
    for data, oid in ((bundle(), COMMIT), (plain, "HEAD"), (b"", COMMIT)):
        with pytest.raises(FormatError):
            with_prerequisite(data, oid)
