"""The header of a git bundle that brings commits (IMP-6), read before git sees the file.

Format: gitformat-bundle(5), versions 2 and 3. Asked first for two reasons: git
itself takes a file that is *not* a bundle for a repository, and follows a
``gitdir:`` line in it to wherever that points; and names in it become names of
refs, so only plain ones may pass.
"""

import re
from itertools import pairwise
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

#: Enough for ten thousand refs; a larger header is refused.
MAX_HEADER_BYTES: Final = 1 << 20

_SIGNATURES: Final = ("# v2 git bundle", "# v3 git bundle")
_PREREQUISITE: Final = re.compile(r"-([0-9a-f]{40})(?: .*)?")
_REF: Final = re.compile(r"([0-9a-f]{40}) (\S+)")
# Narrower than git-check-ref-format(1): no component begins with a dash or a dot.
_COMPONENT: Final = r"[A-Za-z0-9_+#@][A-Za-z0-9._+#@=-]*"
_REF_NAME: Final = re.compile(rf"HEAD|refs/{_COMPONENT}(?:/{_COMPONENT})+")
_BRANCH_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")


class BundleHeader(Record, frozen=True, kw_only=True):
    """What a bundle says it needs and brings: object IDs in lower hex, refs by full name."""

    prerequisites: tuple[str, ...]
    refs: dict[str, str]


def is_branch_name(name: str) -> bool:
    """Whether ``name`` may stand behind ``refs/heads/``."""
    return _BRANCH_NAME.fullmatch(name) is not None and _is_tame(name)


def parse_bundle_header(data: bytes) -> BundleHeader:
    """Read the header at the start of a bundle; ``data`` may go on with the pack.

    Raises ``FormatError`` for anything that is not a plain, complete (unfiltered)
    bundle with SHA-1 object IDs, and for ref names that are not plainly safe.
    """
    header, end, _ = data[:MAX_HEADER_BYTES].partition(b"\n\n")
    lines = header.decode("utf-8", "surrogateescape").split("\n")
    if lines[0] not in _SIGNATURES:
        raise _refused("not-a-bundle", "it does not begin as one")
    if not end:
        raise _refused("header", "its header does not end")
    version, *lines = lines
    if version == _SIGNATURES[1]:
        capabilities = [line for line in lines if line.startswith("@")]
        if any(line != "@object-format=sha1" for line in capabilities):
            raise _refused("capability", "it is filtered, or its object IDs are not SHA-1")
        lines = lines[len(capabilities) :]
    prerequisites = []
    while lines and (match := _PREREQUISITE.fullmatch(lines[0])):
        prerequisites.append(match[1])
        lines = lines[1:]
    refs: dict[str, str] = {}
    for line in lines:
        match = _REF.fullmatch(line)
        if match is None:
            raise _refused("header", f"this header line is malformed: {safe_text(line, limit=120)}")
        oid, name = match.groups()
        if not _REF_NAME.fullmatch(name) or not _is_tame(name) or name in refs:
            raise _refused(
                "ref-name", f"this ref name is not plainly safe: {safe_text(name, limit=120)}"
            )
        refs[name] = oid
    _check_no_name_is_a_folder(refs)
    if not refs:
        raise _refused("refs", "it brings no branch")
    return BundleHeader(prerequisites=tuple(prerequisites), refs=refs)


def _is_tame(name: str) -> bool:
    components = name.split("/")
    return (
        len(name) <= 200
        and ".." not in name
        and not any(part.endswith((".", ".lock")) or part == "@" for part in components)
    )


def _check_no_name_is_a_folder(refs: dict[str, str]) -> None:
    # Refs are files: "a" and "a/b" cannot both be. Sorted this way, they are neighbours.
    for shorter, longer in pairwise(sorted(refs, key=lambda name: name.split("/"))):
        if longer.startswith(shorter + "/"):
            raise _refused("ref-name", f"two ref names contradict each other: {longer}")


def _refused(code: str, why: str) -> FormatError:
    return FormatError(
        f"IMP-6/{code}",
        f"This is not a git bundle that can be taken: {why}.",
        "Make it with: git bundle create release.bundle HEAD main",
    )
