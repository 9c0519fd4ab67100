"""What is live, compared with what was signed, file for file (EXP-5). Pure.

What was signed is what the journal says. What is live is known in two ways: by the bytes that were
brought back, which are hashed here, and by a list that the online machine made, ``live.sha256`` as
``sha256sum * >live.sha256`` writes it over all assets, with ``live.tag`` as
``git ls-remote origin refs/tags/vX.Y.Z`` writes it. A list is a claim of that machine; each result
says how it is known. Formats: sha256sum(1), git-ls-remote(1).
"""

import enum
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pai_signer.domain.artifact import Record
from pai_signer.domain.manifest import parse_foreign_manifest
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

LIVE_SUMS: Final = "live.sha256"
LIVE_TAG: Final = "live.tag"
MAX_LIVE_TAG_BYTES: Final = 64 << 10
#: A side file of CI: the digest of one artifact.
SIDE_SUFFIX: Final = ".sha256"

_REF_LINE: Final = re.compile(r"(?P<oid>[0-9a-f]{40})\t(?P<ref>[\x21-\x7e]{1,300})")


class Verdict(enum.Enum):
    """What became of one file: as signed, a difference of one of three kinds, or not known."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"
    UNSIGNED = "unsigned"
    UNKNOWN = "unknown"

    @property
    def is_difference(self) -> bool:
        """Whether what is live is not what was signed."""
        return self in (Verdict.DIFFERENT, Verdict.MISSING, Verdict.UNSIGNED)


#: Read here from what was brought, or told by the online machine's list.
How = Literal["read", "listed", ""]


class Compared(Record, frozen=True, kw_only=True):
    """One file, or the tag: ``signed`` and ``live`` are its digests (of a tag, object IDs)."""

    name: str
    verdict: Verdict
    why: str
    how: How = ""
    signed: str | None = None
    live: str | None = None


@dataclass(frozen=True)
class SignedContent:
    """What has to be live: digests by name.

    ``companions`` are files that were exported beside them and need not be uploaded; ``too_large``
    are artifacts that the release page cannot hold, so that its list does not have them.
    """

    artifacts: Mapping[str, str]
    files: Mapping[str, str]
    companions: Mapping[str, str] = field(default_factory=dict)
    too_large: frozenset[str] = frozenset()
    tag_name: str = ""
    tag_oid: str | None = None
    commit: str | None = None

    @property
    def all(self) -> dict[str, str]:
        """Everything that has to be live, but the tag."""
        return {**self.artifacts, **self.files}


@dataclass(frozen=True)
class LiveContent:
    """What was brought back.

    ``read`` are digests of the bytes that were brought, ``side_files`` those bytes of CI's side
    files, ``loose`` names that are not expected at all, ``refused`` what could not be opened and
    why. ``listed`` and ``refs`` are None where the list was not brought.
    """

    read: Mapping[str, str]
    listed: Mapping[str, str] | None = None
    refs: Mapping[str, str] | None = None
    side_files: Mapping[str, bytes] = field(default_factory=dict)
    loose: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def parse_live_sums(data: bytes) -> dict[str, str]:
    """Digests by name from ``live.sha256``; ``FormatError`` where it cannot be one."""
    try:
        return dict(parse_foreign_manifest(data).digests)
    except FormatError as error:
        raise FormatError(
            "EXP-5/list",
            f"{LIVE_SUMS} cannot be used: {error.summary}",
            "Make it again on the online machine; if it names a strange file, look at the release.",
        ) from error


def parse_live_refs(data: bytes) -> dict[str, str]:
    """Object IDs by ref from ``live.tag``; empty where the remote had none of that name."""
    refs: dict[str, str] = {}
    lines = data.decode("ascii", "surrogateescape").split("\n")
    for line in lines[:-1] if not lines[-1] else lines:
        match = _REF_LINE.fullmatch(line.removesuffix("\r"))
        if match is None or match["ref"] in refs:
            raise FormatError(
                "EXP-5/tag-list",
                f"{LIVE_TAG} cannot be used: {safe_text(line, limit=100)!r} is no line of "
                "'git ls-remote', or a second one of the same ref.",
                "Make it again on the online machine: git ls-remote origin 'refs/tags/*'",
            )
        refs[match["ref"]] = match["oid"]
    return refs


def compare_live(signed: SignedContent, live: LiveContent) -> tuple[Compared, ...]:
    """Each file that was signed or is live, once; differences first, then what is not known."""
    found = [*_tag(signed, live), *_signed_files(signed, live), *_others(signed, live)]
    order = (Verdict.DIFFERENT, Verdict.MISSING, Verdict.UNSIGNED, Verdict.UNKNOWN, Verdict.SAME)
    return tuple(sorted(found, key=lambda each: order.index(each.verdict)))


def _tag(signed: SignedContent, live: LiveContent) -> Iterator[Compared]:
    if signed.tag_oid is None:
        return
    name, ref = f"tag {signed.tag_name}", f"refs/tags/{signed.tag_name}"
    refs = live.refs
    if refs is None:
        yield Compared(
            name=name,
            verdict=Verdict.UNKNOWN,
            why=f"{LIVE_TAG} was not brought",
            signed=signed.tag_oid,
        )
        return
    there, commit = refs.get(ref), refs.get(f"{ref}^{{}}", signed.commit)
    if there is None:
        verdict, why = Verdict.MISSING, "the remote does not have it"
    elif there != signed.tag_oid:
        verdict, why = Verdict.DIFFERENT, "the remote has another tag of this name"
    elif commit != signed.commit:
        verdict, why = Verdict.DIFFERENT, "the remote says that it is of another commit"
    else:
        verdict, why = Verdict.SAME, "as signed"
    yield Compared(
        name=name, verdict=verdict, why=why, how="listed", signed=signed.tag_oid, live=there
    )


def _signed_files(signed: SignedContent, live: LiveContent) -> Iterator[Compared]:
    for name, digest in sorted(signed.all.items()):
        read, listed = live.read.get(name), (live.listed or {}).get(name)
        how: How = "read" if read else "listed" if listed else ""
        there = read or listed
        if name in live.refused:
            verdict, why = Verdict.UNKNOWN, f"it was not opened: {live.refused[name]}"
        elif read and listed and read != listed:
            verdict, why = Verdict.DIFFERENT, f"the file here is not the one in {LIVE_SUMS}"
            there = listed if read == digest else read
        elif there is None:
            verdict, why = _absent(name, signed, live)
        elif there != digest:
            verdict, why = Verdict.DIFFERENT, "it is not the file that was signed"
        else:
            verdict, why = Verdict.SAME, "as signed"
        yield Compared(name=name, verdict=verdict, why=why, how=how, signed=digest, live=there)


def _absent(name: str, signed: SignedContent, live: LiveContent) -> tuple[Verdict, str]:
    """Neither read nor listed: a list tells that it is not live, without one nothing is known."""
    if live.listed is None:
        return Verdict.UNKNOWN, "it was not brought"
    if name in signed.too_large:
        return Verdict.UNKNOWN, "too large for the release page: bring it from where it is"
    return Verdict.MISSING, "it was signed and is not live"


def _others(signed: SignedContent, live: LiveContent) -> Iterator[Compared]:
    expected = signed.all
    names = {*live.read, *(live.listed or {}), *live.loose, *live.refused} - set(expected)
    for name in sorted(names):
        there = live.read.get(name) or (live.listed or {}).get(name)
        how: How = "read" if name in live.read else "listed" if there else ""
        artifact = name.removesuffix(SIDE_SUFFIX)
        if name in live.refused:
            verdict, why = Verdict.UNKNOWN, f"it was not opened: {live.refused[name]}"
        elif name.endswith(SIDE_SUFFIX) and artifact in signed.artifacts:
            verdict, why = _side_file(name, signed.artifacts[artifact], there, live)
        elif there is not None and there == signed.companions.get(name):
            verdict, why = Verdict.SAME, "as exported; not for users"
        else:
            verdict, why = Verdict.UNSIGNED, "it is live and was never signed"
        yield Compared(name=name, verdict=verdict, why=why, how=how, live=there)


def _side_file(name: str, digest: str, there: str | None, live: LiveContent) -> tuple[Verdict, str]:
    """A side file of CI says one digest; what it says has to be what was signed."""
    artifact = name.removesuffix(SIDE_SUFFIX)
    data = live.side_files.get(name)
    if data is not None:
        try:
            said = parse_foreign_manifest(data, only_name=artifact).digests[artifact]
        except FormatError as error:
            return Verdict.DIFFERENT, error.summary
        listed = (live.listed or {}).get(name)
        if listed not in (None, there):
            return Verdict.DIFFERENT, f"the file here is not the one in {LIVE_SUMS}"
    elif there == hashlib.sha256(f"{digest}  {artifact}\n".encode()).hexdigest():
        said = digest
    else:
        return Verdict.UNKNOWN, "bring the file itself: only its own digest is listed"
    if said != digest:
        return Verdict.DIFFERENT, "it says another digest than the one that was signed"
    return Verdict.SAME, "it says the digest that was signed"
