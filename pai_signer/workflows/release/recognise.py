"""Sorts what a folder holds: artifacts, bundle, digests, and the rest (IMP-2). Pure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.profile import Profile
from pai_signer.domain.text import CUT
from pai_signer.errors import PolicyRefused
from pai_signer.ports import SourceListing

BUNDLE_SUFFIX: Final = ".bundle"
DIGEST_SUFFIX: Final = ".sha256"


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a scan recognised, by name."""

    artifacts: tuple[str, ...] = ()
    bundle: str | None = None
    manifest: str | None = None
    digest_files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def recognise(listing: SourceListing, profile: Profile) -> Found:
    """Sort a listing into artifacts, bundle, digests and the rest (IMP-2).

    Refuses what cannot be opened safely but is named like something of ours, and
    a folder in which nothing is recognised.
    """
    names = [entry.name for entry in listing.files]
    artifacts = tuple(n for n in names if profile.release_of_name(n) is not None)
    bundles = [n for n in names if n.endswith(BUNDLE_SUFFIX)]
    manifest = profile.artifacts.manifest
    suffixes = {Path(name).suffix for w in profile.artifacts.wanted for name in w.names}
    ours = (*suffixes, BUNDLE_SUFFIX, DIGEST_SUFFIX, manifest)
    for entry in listing.refused:
        # A name that is too long to be shown whole may end like anything.
        endings = (*(end.lower() for end in ours), CUT)
        if entry.shown_name.lower().endswith(endings):
            raise PolicyRefused(
                "IMP-2/refused",
                f"{entry.shown_name} is refused: {entry.why}.",
                "Remove or rename it on the machine that wrote the medium, and find out "
                "how it came there.",
            )
    if len(bundles) > 1:
        raise PolicyRefused(
            "IMP-6/two-bundles",
            f"There are {len(bundles)} bundles: {', '.join(bundles)}.",
            "Leave only the one that holds the commit to tag.",
        )
    if not artifacts and not bundles:
        raise PolicyRefused(
            "IMP-1/no-artifacts",
            "No artifact and no bundle is in this folder.",
            "Expected names: " + ", ".join(n for w in profile.artifacts.wanted for n in w.names),
        )
    digest_files = digest_files_of(names, artifacts)
    known = {*artifacts, *bundles, *digest_files, manifest}
    return Found(
        artifacts=artifacts,
        bundle=bundles[0] if bundles else None,
        manifest=manifest if manifest in names else None,
        digest_files=digest_files,
        ignored=(
            *(n for n in names if n not in known),
            *(f"{entry.shown_name} ({entry.why})" for entry in listing.refused),
        ),
    )


def digest_files_of(names: Sequence[str], artifacts: Sequence[str]) -> tuple[str, ...]:
    """Return the side files among ``names`` that are about one of the ``artifacts``."""
    return tuple(
        f"{name}{DIGEST_SUFFIX}" for name in artifacts if f"{name}{DIGEST_SUFFIX}" in names
    )


def version_of_artifacts(found: Found, profile: Profile) -> str:
    """The tag name that all artifact names agree on, or "" without artifacts (POL-1)."""
    versions = {
        profile.tag_of(named[0])
        for name in found.artifacts
        if (named := profile.release_of_name(name)) is not None
    }
    if len(versions) > 1:
        raise PolicyRefused(
            "POL-1/two-versions",
            f"The files are of different versions: {', '.join(sorted(versions))}.",
            "Leave only the files of one version in the folder.",
        )
    return versions.pop() if versions else ""
