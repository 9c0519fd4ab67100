"""Bundles that carry one tag object and nothing else (EXP-1), read without git.

``verify`` runs for everyone, also where no repository is at hand (VER-1).
Formats: gitformat-bundle(5), versions 2 and 3 with SHA-1 object IDs, and
gitformat-pack(5), version 2: ``PACK``, version, count, then one undeltified
object (type and size as a varint, content as a zlib stream), then the SHA-1 of
everything before it. Every malformation raises ``FormatError``.
"""

import hashlib
import re
import zlib
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.tag import MAX_TAG_BYTES, check_tag_name, is_object_id, object_id
from pai_signer.errors import FormatError

#: A tag-only bundle is a few hundred bytes; an incompressible tag of the largest size fits.
MAX_BUNDLE_BYTES: Final = MAX_TAG_BYTES + (4 << 10)

_SIGNATURES: Final = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_PREREQUISITE: Final = re.compile(rb"-([0-9a-f]{40})(?: [^\n]*)?")
_REF: Final = re.compile(rb"([0-9a-f]{40}) refs/tags/([^\n]+)")
_PACK_HEADER: Final = b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
_TYPE_TAG: Final = 4
_SHA1_BYTES: Final = 20


class TagBundle(Record, frozen=True, kw_only=True):
    """What the bundle says; ``tag_oid`` is computed here, never taken from it.

    ``prerequisite_oid`` is the commit that the receiver must have already. Stock
    ``git bundle create`` leaves it out where only a tag object is packed.
    """

    ref_name: str
    tag_name: str
    prerequisite_oid: str | None
    tag_oid: str
    tag_object: bytes


def parse_tag_bundle(data: bytes) -> TagBundle:
    """Read a tag-only bundle; raises ``FormatError`` for anything else."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise _malformed("size", f"it is larger than {MAX_BUNDLE_BYTES} bytes")
    header, separator, pack = data.partition(b"\n\n")
    if not separator:
        raise _malformed("header", "its header does not end")
    signature, _, rest = (header + b"\n").partition(b"\n")
    signature += b"\n"
    if signature not in _SIGNATURES:
        raise _malformed("header", "it does not begin as a git bundle of version 2 or 3")
    lines = rest.removesuffix(b"\n").split(b"\n")
    if signature == _SIGNATURES[1]:
        lines = _without_capabilities(lines)
    prerequisite_oid = None
    if match := _PREREQUISITE.fullmatch(lines[0]):
        prerequisite_oid = match[1].decode()
        lines = lines[1:]
    if len(lines) != 1 or not (ref := _REF.fullmatch(lines[0])):
        raise _malformed("refs", "it does not name exactly one tag")
    tag_name = ref[2].decode("utf-8", "surrogateescape")
    check_tag_name(tag_name)
    tag_object = _only_tag_in(pack)
    tag_oid = object_id("tag", tag_object)
    if tag_oid != ref[1].decode():
        raise _malformed("oid", "its tag object is not the one that it names")
    return TagBundle(
        ref_name=f"refs/tags/{tag_name}",
        tag_name=tag_name,
        prerequisite_oid=prerequisite_oid,
        tag_oid=tag_oid,
        tag_object=tag_object,
    )


def with_prerequisite(bundle: bytes, commit_oid: str) -> bytes:
    """The same bundle, telling its receiver which commit it needs first.

    git packs the tag alone but records no prerequisite for it, so that a
    repository without the commit fails with an obscure "bad object".
    """
    if not is_object_id(commit_oid):
        raise _malformed("prerequisite", "the commit that it needs is not a full object ID")
    signature, separator, rest = bundle.partition(b"\n")
    if signature + separator != _SIGNATURES[0] or rest.startswith(b"-"):
        raise _malformed("header", "it is not a version 2 bundle without prerequisites")
    # gitformat-bundle(5): the comment may be empty, but its space is part of the grammar.
    return signature + separator + f"-{commit_oid} \n".encode() + rest


def _without_capabilities(lines: list[bytes]) -> list[bytes]:
    capabilities = [line for line in lines if line.startswith(b"@")]
    if any(capability != b"@object-format=sha1" for capability in capabilities):
        raise _malformed("capability", "it asks for a capability that a tag does not need")
    rest = lines[len(capabilities) :]
    if len(capabilities) > 1 or lines[: len(capabilities)] != capabilities or not rest:
        raise _malformed("header", "its header is out of order")
    return rest


def _only_tag_in(pack: bytes) -> bytes:
    body, checksum = pack[:-_SHA1_BYTES], pack[-_SHA1_BYTES:]
    if hashlib.sha1(body, usedforsecurity=False).digest() != checksum:
        raise _malformed("checksum", "it is damaged or cut off: its checksum does not match")
    if not body.startswith(_PACK_HEADER):
        raise _malformed("pack", "its pack does not hold exactly one object")
    kind, size_bytes, position = _object_header(body, len(_PACK_HEADER))
    if kind != _TYPE_TAG:
        raise _malformed("type", "its object is not a tag")
    if size_bytes > MAX_TAG_BYTES:
        raise _malformed("size", f"its tag is larger than {MAX_TAG_BYTES} bytes")
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(body[position:], size_bytes + 1)
    except zlib.error as error:
        raise _malformed("zlib", "its object cannot be unpacked") from error
    if not inflate.eof or inflate.unused_data or len(content) != size_bytes:
        raise _malformed("size", "its object has not the size that it declares")
    return content


def _object_header(body: bytes, position: int) -> tuple[int, int, int]:
    """Type, size in bytes, and where the zlib stream begins.

    First byte: continuation bit, 3 bits of type, 4 bits of size; then 7 bits of
    size a byte, least significant first.
    """
    kind = size_bytes = 0
    shift = 0
    for offset in range(position, min(position + 5, len(body))):
        byte = body[offset]
        if offset == position:
            kind, size_bytes, shift = byte >> 4 & 7, byte & 15, 4
        else:
            size_bytes |= (byte & 127) << shift
            shift += 7
        if not byte & 128:
            return kind, size_bytes, offset + 1
    raise _malformed("pack", "its object has no proper header")


def _malformed(code: str, why: str) -> FormatError:
    return FormatError(
        f"EXP-1/tag-bundle-{code}",
        f"This is not a bundle of one tag: {why}.",
        "Copy the file again from where it was exported; if it is refused again, do not use it.",
    )
