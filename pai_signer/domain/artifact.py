"""What was brought in: artifacts with their digests, and the commit to tag.

A ``Candidate`` is the pure record between import and signing; nothing after
it reads an artifact again (IMP-3).
"""

import enum

import msgspec


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every record that is read from disk or a medium: frozen and strict."""


class FindingLevel(enum.Enum):
    """How much a finding weighs: a note, something odd, or a reason to refuse."""

    NOTE = "note"
    ODD = "odd"
    BAD = "bad"


class Finding(Record, frozen=True, kw_only=True):
    """One thing that inspection saw, in one line (IMP-5)."""

    level: FindingLevel
    text: str


class ExpectedDigest(Record, frozen=True, kw_only=True):
    """What somebody says the SHA-256 is (IMP-4).

    ``independent`` sources do not come from the build that made the artifact:
    a second maintainer's rebuild, typed or from another medium.
    """

    source: str
    sha256: str
    independent: bool = False


class HashedFile(Record, frozen=True, kw_only=True):
    """The result of one pass over one file: sizes in bytes, digests in lower hex."""

    name: str
    size_bytes: int
    modified_at_s: float
    sha256: str
    blake2b_512: str


class Artifact(Record, frozen=True, kw_only=True):
    """A file to release, as it was read once."""

    file: HashedFile
    architecture: str
    expected: tuple[ExpectedDigest, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def mismatches(self) -> tuple[ExpectedDigest, ...]:
        """The expected digests that the computed one contradicts."""
        return tuple(e for e in self.expected if e.sha256 != self.file.sha256)


class Commit(Record, frozen=True, kw_only=True):
    """The commit to tag, as the bare mirror knows it; text fields come from outside."""

    oid: str
    author: str
    committed_at: str
    subject: str
    #: One line a commit since the last signed tag's commit, newest first; may be cut.
    log: tuple[str, ...] = ()
    log_is_cut: bool = False
    #: The last signed release's commit, and whether ``oid`` descends from it.
    previous_oid: str | None = None
    descends_from_previous: bool = True
    #: The object that already has the tag's name in the mirror, if any.
    existing_tag_oid: str | None = None


class Candidate(Record, frozen=True, kw_only=True):
    """All that was imported for one version; either part may come in its own visit (IMP-7)."""

    version: str
    imported_at: str
    source: str
    artifacts: tuple[Artifact, ...] = ()
    commit: Commit | None = None
    #: What the lenient manifest reader had to forgive in CI's SHA256SUMS.
    leniencies: tuple[str, ...] = ()
    #: Files beside the artifacts that were left alone, already sanitised.
    ignored: tuple[str, ...] = ()
