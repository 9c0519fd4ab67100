"""Checksum files: our own ``SHA256SUMS``, written and read strictly, and other people's.

``sha256sum -c`` forgives almost anything: CRLF, upper case, BSD lines,
duplicates, ``../`` and junk, all with exit code 0. We write one form only
(SIG-1); of what CI wrote we forgive what cannot change the meaning, report each
forgiveness, and refuse the rest (IMP-4). Line format: sha256sum(1), cksum(1).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pai_signer.domain.names import find_twins, why_unsafe
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

#: A release has a handful of files; a larger checksum file is not one of ours.
MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_ENTRIES: Final = 1000

#: How the first line of a backup's manifest ends, a comment: such a file lists no release.
NOT_A_RELEASE: Final = "BACKUP MANIFEST, not a release"

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_GNU_LINE: Final = re.compile(r"(?P<digest>[0-9A-Fa-f]{64})(?P<gap> [ *]| +)(?P<name>[^ *].*)")
_BSD_LINE: Final = re.compile(r"SHA-?256 ?\((?P<name>.*)\) ?= ?(?P<digest>[0-9A-Fa-f]{64})")
_CANONICAL_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>.+)")
_BOM: Final = b"\xef\xbb\xbf"


def is_sha256(text: str) -> bool:
    """Whether ``text`` is 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


# --- our own, strict --------------------------------------------------------------------


def render_manifest(digests: Mapping[str, str]) -> bytes:
    """The canonical ``SHA256SUMS`` of file name to digest (SIG-1), sorted by name.

    Raises ``FormatError`` on an unsafe name, a digest that is not 64 lower-case hex
    digits, names that differ only in case, or nothing to list.
    """
    if not 0 < len(digests) <= MAX_ENTRIES:
        raise _not_canonical(f"it has {len(digests)} entries")
    for name, digest in digests.items():
        if (why := why_unsafe(name)) is not None:
            raise _not_canonical(f"'{safe_text(name, limit=100)}': {why}")
        if not is_sha256(digest):
            raise _not_canonical(f"the digest of {name} is not 64 lower-case hex digits")
    if twins := find_twins(digests):
        raise _not_canonical(f"{' and '.join(twins[0])} differ only in case")
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode("ascii")


def parse_manifest(data: bytes) -> dict[str, str]:
    """Read a canonical ``SHA256SUMS`` back, byte for byte, or raise ``FormatError``."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise _not_canonical(f"it is larger than {MAX_MANIFEST_BYTES} bytes")
    digests = {}
    for line in data.decode("ascii", "surrogateescape").split("\n")[:-1]:
        match = _CANONICAL_LINE.fullmatch(line)
        if match is None:
            raise _not_canonical(f"the line '{safe_text(line, limit=100)}' has another form")
        digests[match["name"]] = match["digest"]
    # One rendering only: this catches order, duplicates, names and the final newline.
    if render_manifest(digests) != data:
        raise _not_canonical("its lines are not sorted, not unique, or not ended by a newline")
    return digests


def _not_canonical(why: str) -> FormatError:
    return FormatError(
        "SIG-1/not-canonical",
        f"The manifest is not in the canonical form: {why}.",
        "Do not trust this SHA256SUMS; use the one that was signed.",
    )


# --- other people's, lenient --------------------------------------------------------------


@dataclass(frozen=True)
class ForeignManifest:
    """Digests by file name from somebody else's file, and what had to be forgiven."""

    digests: Mapping[str, str]
    leniencies: tuple[str, ...]


@dataclass
class _Forgiven:
    """Kinds of leniency with the lines where each was needed."""

    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, kind: str, line: int) -> None:
        self.lines.setdefault(kind, []).append(line)

    def report(self) -> tuple[str, ...]:
        return tuple(f"{kind} ({_shown_lines(lines)})" for kind, lines in self.lines.items())


def parse_foreign_manifest(data: bytes, *, only_name: str | None = None) -> ForeignManifest:
    """Read CI's ``SHA256SUMS`` or a ``.sha256`` side file, forgiving what is harmless.

    ``only_name`` is the file that a side file is for: then it may hold a bare digest,
    and may name no other file. Digests are returned in lower case. Raises ``FormatError``
    on names that are unsafe (``/``, ``..``, leading ``-``, control bytes, ...), escaped
    lines, two digests for one name, names that differ only in case, nothing usable, or
    more than ``MAX_MANIFEST_BYTES`` or ``MAX_ENTRIES``.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise _refused("too-large", f"it is larger than {MAX_MANIFEST_BYTES} bytes")
    forgiven = _Forgiven()
    digests: dict[str, str] = {}
    lines = tuple(_lines(data, forgiven))
    bare = _bare_digest(lines, only_name, forgiven)
    if bare is not None and only_name is not None:
        _add_entry(digests, only_name, bare, lines[0][0], forgiven)
    else:
        for number, line in lines:
            entry = _entry(line, number, forgiven)
            if entry is not None:
                _add_entry(digests, *entry, number, forgiven)
    if not digests:
        raise _refused("empty", "it holds no SHA-256 digest of a file")
    if only_name is not None and set(digests) != {only_name}:
        other = next(name for name in digests if name != only_name)
        raise _refused("other-file", f"it is for {other}, not for {safe_text(only_name)}")
    if twins := find_twins(digests):
        raise _refused("twins", f"{' and '.join(twins[0])} differ only in case")
    return ForeignManifest(digests, forgiven.report())


def _lines(data: bytes, forgiven: _Forgiven) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank, without their line ends."""
    if data.startswith(_BOM):
        data = data.removeprefix(_BOM)
        forgiven.add("a byte order mark was skipped", 1)
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines[-1]:
        forgiven.add("the last line has no newline", len(lines))
    else:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if line.endswith("\r"):
            forgiven.add("lines end in CR LF", number)
            line = line.removesuffix("\r")  # noqa: PLW2901 - the same line without its end
        if any(ord(char) < 0x20 or ord(char) == 0x7F for char in line):
            raise _refused("control", f"line {number} has a control byte")
        if line.startswith("\\"):
            raise _refused("escaped", f"line {number} holds an escaped name")
        if line.strip(" "):
            yield number, line
        else:
            forgiven.add("blank lines were skipped", number)


def _bare_digest(
    lines: tuple[tuple[int, str], ...], only_name: str | None, forgiven: _Forgiven
) -> str | None:
    """The digest in a side file that holds nothing else."""
    if only_name is None or len(lines) != 1:
        return None
    number, line = lines[0]
    digest = line.strip(" ")
    if not is_sha256(digest.lower()):
        return None
    forgiven.add("a bare digest names no file", number)
    return digest


def _entry(line: str, number: int, forgiven: _Forgiven) -> tuple[str, str] | None:
    """Name and digest of one line; None for junk."""
    text = line.lstrip(" ")
    if match := _GNU_LINE.fullmatch(text):
        if match["gap"] == " *":
            forgiven.add("names carry the binary marker '*'", number)
        elif match["gap"] != "  ":
            forgiven.add("digest and name are not two spaces apart", number)
    elif match := _BSD_LINE.fullmatch(text):
        forgiven.add("lines are in BSD form", number)
    else:
        if text.startswith("#") and text.endswith(NOT_A_RELEASE):
            raise _refused("backup", "it is the manifest of a backup, not of a release")
        kind = "comments" if text.startswith("#") else "lines that are no SHA-256 entry"
        forgiven.add(f"{kind} were skipped", number)
        return None
    if text != line:
        forgiven.add("lines are indented", number)
    return match["name"], match["digest"]


def _add_entry(
    digests: dict[str, str], name: str, digest: str, number: int, forgiven: _Forgiven
) -> None:
    if (why := why_unsafe(name)) is not None:
        raise _refused("name", f"line {number} names '{safe_text(name, limit=100)}': {why}")
    if digest != digest.lower():
        forgiven.add("digests are in upper case", number)
    if name in digests:
        if digests[name] != digest.lower():
            raise _refused("conflict", f"{name} has two different digests (line {number})")
        forgiven.add("names are listed twice with the same digest", number)
    digests[name] = digest.lower()
    if len(digests) > MAX_ENTRIES:
        raise _refused("too-many", f"it lists more than {MAX_ENTRIES} files")


def _shown_lines(lines: list[int]) -> str:
    first = ", ".join(str(number) for number in lines[:3])
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"line{'s' if len(lines) > 1 else ''} {first}{more}"


def _refused(code: str, why: str) -> FormatError:
    return FormatError(
        f"IMP-4/manifest-{code}",
        f"The checksum file cannot be used: {why}.",
        "Download it again from the release page, and look at it before you trust it.",
    )
