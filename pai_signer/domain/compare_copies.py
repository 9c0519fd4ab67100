"""What is wrong in which of a set's three copies, and what could mend it (CUS-2).

Pure: the bytes that were read, and for each copy what its own manifest says where a key of
the registry has signed that manifest. Nothing else says how a file should be: that two of
three agree proves nothing to a person who holds all three.
"""

import enum
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    COPIES,
    FACTS_NAME,
    SIGNATURE_NAMES,
    BackupFacts,
    parse_facts,
)
from pai_signer.domain.custody import Outcome
from pai_signer.errors import FormatError


@dataclass(frozen=True)
class CopyRead:
    """One folder as it was read.

    ``problems`` says of each file why it was not read, ``unreadable`` for which of them
    because the medium failed; the name ``""`` is the folder itself. ``good_signatures`` are
    the names of those over its manifest that a registered key has made; ``manifest`` are the
    digests of its ``MANIFEST.txt``, None where there is no good signature.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()
    good_signatures: frozenset[str] = frozenset()
    manifest: Mapping[str, str] | None = None

    @property
    def facts(self) -> BackupFacts | None:
        """``backup.json``, where the signed manifest vouches for it."""
        data = self.files.get(FACTS_NAME)
        if data is None or self.manifest is None or self.manifest.get(FACTS_NAME) != _digest(data):
            return None
        try:
            return parse_facts(data)
        except FormatError:
            return None


class CopyState(enum.Enum):
    """What one copy is."""

    INTACT = "intact"
    #: Whole in itself, but of another set: an older one, or a folder that was renamed.
    OTHER_SET = "of another set"
    DAMAGED = "damaged"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class CopyCondition:
    """One copy against what the set should hold; names of files, sorted.

    ``extra`` are files that do not belong there. They damage nothing, but are told.
    """

    copy: str
    state: CopyState
    differing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    #: Of a copy of another set: that set's number.
    other_number: int | None = None

    @property
    def to_repair(self) -> tuple[str, ...]:
        """The files that are not as they should be."""
        return tuple(sorted({*self.differing, *self.missing, *self.unreadable}))

    @property
    def text(self) -> str:
        """In one line."""
        if self.other_number is not None:
            return f"copy {self.copy}: {self.state.value}, number {self.other_number}"
        named = (
            ("differs", self.differing),
            ("not there", self.missing),
            ("not readable", self.unreadable),
        )
        parts = [f"{what}: {', '.join(names)}" for what, names in named if names]
        if self.state in (CopyState.INTACT, CopyState.MISSING):
            parts = []
        extra = [f"does not belong there: {', '.join(self.extra)}"] if self.extra else []
        return f"copy {self.copy}: " + "; ".join((self.state.value, *parts, *extra))


@dataclass(frozen=True)
class SetCondition:
    """The whole set. ``expected`` are digests of every file of an intact copy, by name.

    It is None where no copy has a manifest that a registered key signed for this set: then
    nothing can be said to be intact, and nothing can be mended.
    """

    number: int
    copies: tuple[CopyCondition, ...]
    facts: BackupFacts | None
    expected: Mapping[str, str] | None
    #: For each file, a copy in which it is as it should be.
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome | None:
        """What it makes of a verification; None where all three copies are intact."""
        states = {condition.state for condition in self.copies}
        if states & {CopyState.DAMAGED, CopyState.MISSING}:
            return Outcome.DAMAGED
        if CopyState.UNREADABLE in states:
            return Outcome.UNREADABLE
        return Outcome.STALE if CopyState.OTHER_SET in states else None

    @property
    def intact(self) -> tuple[str, ...]:
        """The copies that are as they should be."""
        return tuple(c.copy for c in self.copies if c.state is CopyState.INTACT)

    @property
    def repairs(self) -> Mapping[str, Mapping[str, str]]:
        """For each copy that is not intact, the files to write, each with the copy to take it from.

        Empty unless all of the set can be had from its copies together.
        """
        if self.expected is None or set(self.sources) != set(self.expected):
            return {}
        broken = [c for c in self.copies if c.state is not CopyState.INTACT]
        return {c.copy: {name: self.sources[name] for name in c.to_repair} for c in broken}

    @property
    def texts(self) -> tuple[str, ...]:
        """A line for each copy that is not intact or holds more than it should."""
        told = [c for c in self.copies if c.state is not CopyState.INTACT or c.extra]
        return tuple(condition.text for condition in told)


def compare_copies(number: int, copies: Mapping[str, CopyRead]) -> SetCondition:
    """Hold every copy of set ``number`` against the signed manifest of that set.

    A copy whose folder is not there is missing from ``copies``.
    """
    model = _model(number, copies)
    expected = _expected(copies[model], copies) if model is not None else None
    conditions = tuple(_condition(copy, copies.get(copy), number, expected) for copy in COPIES)
    sources = {}
    for name, digest in (expected or {}).items():
        for copy in COPIES:
            data = copies[copy].files.get(name) if copy in copies else None
            if data is not None and _digest(data) == digest:
                sources[name] = copy
                break
    facts = copies[model].facts if model is not None else None
    return SetCondition(number, conditions, facts, expected, sources)


def _model(number: int, copies: Mapping[str, CopyRead]) -> str | None:
    """A copy whose signed manifest is of this set; of several the one that most agree with.

    Only the manifest and the facts have to be whole in it.
    """
    able = [c for c, read in copies.items() if read.facts and read.facts.number == number]
    manifests = {copy: copies[copy].files[BACKUP_MANIFEST_NAME] for copy in able}
    votes = Counter(manifests.values())
    # A further attempt under the same number is the one that was made last.
    return max(able, key=lambda c: (votes[manifests[c]], _made_at(copies[c])), default=None)


def _made_at(read: CopyRead) -> float:
    return read.facts.made_at.timestamp() if read.facts else 0.0


def _expected(model: CopyRead, copies: Mapping[str, CopyRead]) -> dict[str, str]:
    """All of an intact copy: what the manifest lists, itself, and its signatures.

    A signature is as it is where it is good; one that is good nowhere is damaged everywhere.
    """
    manifest = model.files[BACKUP_MANIFEST_NAME]
    alike = [r for r in copies.values() if r.files.get(BACKUP_MANIFEST_NAME) == manifest]
    digests = {**(model.manifest or {}), BACKUP_MANIFEST_NAME: _digest(manifest)}
    for name in SIGNATURE_NAMES:
        there = [read for read in alike if name in read.files]
        good = Counter(_digest(r.files[name]) for r in there if name in r.good_signatures)
        if there:
            digests[name] = good.most_common(1)[0][0] if good else ""
    return digests


def _condition(
    copy: str,
    read: CopyRead | None,
    number: int,
    expected: Mapping[str, str] | None,
) -> CopyCondition:
    if read is None or (not read.files and not read.problems):
        return CopyCondition(copy, CopyState.MISSING, missing=tuple(sorted(expected or ())))
    if "" in read.problems:
        state = CopyState.UNREADABLE if "" in read.unreadable else CopyState.DAMAGED
        return CopyCondition(copy, state, unreadable=tuple(sorted(expected or ())))
    wanted = expected if expected is not None else read.manifest or {}
    differing = {n for n, data in read.files.items() if n in wanted and _digest(data) != wanted[n]}
    absent = set(wanted) - set(read.files)
    unreadable = absent & set(read.problems)
    facts = read.facts
    is_other = facts is not None and facts.number != number and _is_whole(read)
    if is_other:
        state = CopyState.OTHER_SET
    elif expected is None or differing or absent - unreadable:
        state = CopyState.DAMAGED
    elif unreadable:
        failed = unreadable <= read.unreadable
        state = CopyState.UNREADABLE if failed else CopyState.DAMAGED
    else:
        state = CopyState.INTACT
    return CopyCondition(
        copy,
        state,
        differing=tuple(sorted(differing)),
        missing=tuple(sorted(absent - unreadable)),
        unreadable=tuple(sorted(unreadable)),
        extra=tuple(sorted({*read.files, *read.problems} - set(wanted))) if wanted else (),
        other_number=facts.number if is_other and facts else None,
    )


def _is_whole(read: CopyRead) -> bool:
    """Whether a copy is what its own signed manifest says."""
    listed = (read.manifest or {}).items()
    return all(n in read.files and _digest(read.files[n]) == digest for n, digest in listed)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
