"""What verifying a set of release files finds: statements, signers, what vouches (VER-1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pai_signer.errors import ToolMissing
from pai_signer.workflows.verify.vouching import Discounted

#: Where verifying for everyone notes why OpenPGP signatures could not be checked: ``gpg`` is
#: optional there (VER-1). Where nobody keeps such a list, a missing tool is an error.
Unchecked = list[ToolMissing]


def note_unchecked(unchecked: Unchecked | None, missing: ToolMissing) -> None:
    """Note that a signature was not looked at; raises ``missing`` where that is not allowed."""
    if unchecked is None:
        raise missing
    unchecked.append(missing)


@dataclass(frozen=True)
class Statement:
    """One thing that was verified, or one that is not there to be verified."""

    text: str
    proved: bool = True


@dataclass(frozen=True)
class Verified:
    """All that was found right about a set of files."""

    statements: tuple[Statement, ...]
    version: str
    signed_by: tuple[str, ...]
    manifest: Mapping[str, str] = field(default_factory=dict)
    artifacts_checked: tuple[str, ...] = ()
    artifacts_absent: tuple[str, ...] = ()
    tag_oid: str | None = None
    #: Signature systems that should have signed what is here, and did not.
    missing_systems: tuple[str, ...] = ()
    #: Who endorsed what only a list vouches for (KEY-5), and what that is.
    endorsed_by: tuple[str, ...] = ()
    endorsed: tuple[str, ...] = ()
    #: Compromised keys that signed too: their signatures count for nothing.
    count_for_nothing: tuple[str, ...] = ()
    #: IDs of the keys that signed each thing, by its name; those that count.
    signers_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Small files that no signature covers.
    loose: tuple[str, ...] = ()
    #: When it was signed, as a receipt says that is vouched for; the last of several.
    signed_at: datetime | None = None

    def is_endorsed_only(self, thing: str) -> bool:
        """Whether no signature vouches for ``thing``, but a list of endorsed releases does."""
        return thing in self.endorsed


@dataclass
class Found:
    """What was found so far; ``versions`` are the files that state each version."""

    statements: list[Statement] = field(default_factory=list)
    signers: dict[str, None] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    missing_systems: dict[str, None] = field(default_factory=dict)
    #: What a key that is not compromised signed, and what one that is did.
    vouched: dict[str, list[str]] = field(default_factory=dict)
    discounted: Discounted = field(default_factory=Discounted)
    endorsed: dict[str, None] = field(default_factory=dict)
    endorsed_by: dict[str, None] = field(default_factory=dict)

    def states(self, version: str, name: str) -> None:
        """Note that a signed file says which version it is of."""
        self.versions.setdefault(version, []).append(name)

    def version_of(self, name: str) -> str | None:
        """The version that this file states, if it does."""
        return next((v for v, names in self.versions.items() if name in names), None)
