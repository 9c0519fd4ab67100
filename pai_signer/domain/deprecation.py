"""Retiring a release with honour: nothing is removed, and users are told where to go (VER-2).

"A published checksum is a contract": a bad release stays where it is and stays verifiable.
What changes is the text on its page, the "latest" pointer and the list of known issues. All
texts are pure functions of the index: the same entries give the same bytes.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.profile import Profile
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import OPENPGP_SUFFIX, Algorithm, Registry
from pai_signer.domain.release_index import (
    INDEX_NAME,
    IndexEntry,
    Listed,
    ListedRelease,
    ReleaseIndex,
    listed,
)
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import PolicyRefused, UsageError

LATEST_NAME: Final = "latest.json"
NOTICE_PREFIX: Final = "deprecated-"
ISSUE_PREFIX: Final = "known-issue-"
TEXT_SUFFIX: Final = ".md"
GUIDE_NAME: Final = "DEPRECATE.md"
#: The sign that the runbook asks for. It goes into files only: console fonts lack it.
WARNING_SIGN: Final = "\N{WARNING SIGN}"
MAX_REASON: Final = 300


class Latest(Record, frozen=True, kw_only=True):
    """``latest.json``: where "latest" points, and the state of the index that says so."""

    project: str
    rehearsal: bool
    version: str
    manifest_sha256: str
    index_entries: int
    index_head: str


def notice_name(version: str) -> str:
    """The file with the text for the page of a deprecated release."""
    return f"{NOTICE_PREFIX}{version}{TEXT_SUFFIX}"


def issue_name(version: str) -> str:
    """The file with the line for the list of known issues."""
    return f"{ISSUE_PREFIX}{version}{TEXT_SUFFIX}"


def is_published_beside_keys(name: str) -> bool:
    """Whether a file is one that tells of the index: itself, the pointer, or a notice."""
    notice = name.startswith((NOTICE_PREFIX, ISSUE_PREFIX)) and name.endswith(TEXT_SUFFIX)
    return name in (INDEX_NAME, LATEST_NAME) or notice


# --- whether it may be ----------------------------------------------------------------------


def check_can_end(releases: Listed, version: str) -> ListedRelease:
    """The release that shall be deprecated; refused where it is unknown or is so already."""
    release = releases.get(version)
    if release is None:
        raise UsageError(
            "VER-2/unknown-release",
            f"{safe_text(version, limit=80)} is no release of this workstation.",
            "See them all: pai-signer release list",
        )
    if release.deprecation is not None:
        raise PolicyRefused(
            "VER-2/deprecated-already",
            f"{version} is deprecated already, in favour of {release.deprecation.replacement}.",
            f"Nothing that was published is taken back. Carry it out again: "
            f"pai-signer release deprecate {version} DEST",
        )
    return release


def check_can_replace(releases: Listed, version: str, replacement: str) -> ListedRelease:
    """The release that users shall move to: another one, signed, and itself current."""
    release = releases.get(replacement)
    if release is None or not release.can_replace or replacement == version:
        if replacement == version:
            why = "a release cannot replace itself"
        elif release is not None and release.is_deprecated:
            why = "it is deprecated itself"
        else:
            why = "its manifest is not signed here"
        raise PolicyRefused(
            "VER-2/replacement",
            f"{safe_text(replacement, limit=80)} cannot replace {version}: {why}.",
            "Sign the fix release first, then deprecate the bad one.",
        )
    return release


def checked_reason(text: str) -> str:
    """One line that everybody will read; ``UsageError`` for anything else."""
    reason = text.strip().rstrip(".")
    if not reason or len(reason) > MAX_REASON or not is_safe(reason):
        raise UsageError(
            "VER-2/no-reason",
            f"A reason is one line of 1 to {MAX_REASON} printable characters.",
            "Say what is wrong with the release: --reason 'does not boot on old machines'",
        )
    return reason


# --- the texts ------------------------------------------------------------------------------


def latest_of(releases: Listed, profile: Profile) -> ListedRelease | None:
    """The last good version: the newest by number that is signed and not deprecated.

    A pre-release is it only where there is nothing else.
    """
    good = [release for release in releases.values() if release.can_replace]
    finals = [r for r in good if not profile.version_of(r.version).prerelease]
    return max(finals or good, key=lambda r: profile.version_of(r.version), default=None)


def public_texts(index: ReleaseIndex, profile: Profile) -> dict[str, bytes]:
    """Every file of which the public learns the state of the releases, by name; all are signed.

    The index, where "latest" points, and the texts of each deprecation there ever was.
    """
    releases = listed(index)
    files = {INDEX_NAME: encode_record(index)}
    latest = latest_of(releases, profile)
    if latest is not None and latest.manifest_sha256 is not None:
        pointer = Latest(
            project=index.project,
            rehearsal=index.rehearsal,
            version=latest.version,
            manifest_sha256=latest.manifest_sha256,
            index_entries=len(index.entries),
            index_head=index.head,
        )
        files[LATEST_NAME] = encode_record(pointer)
    for entry in index.entries:
        if entry.event == "deprecated":
            release = releases[entry.version]
            files[notice_name(entry.version)] = _notice(index, entry, release).encode()
            files[issue_name(entry.version)] = _known_issue(index, entry).encode()
    return files


def _notice(index: ReleaseIndex, entry: IndexEntry, release: ListedRelease) -> str:
    """For the top of the release's page, above what stands there."""
    lines = [
        f"**{WARNING_SIGN} DEPRECATED \N{EM DASH} see {entry.replacement}**",
        "",
        f"{index.project} {entry.version} was deprecated on {entry.at:%Y-%m-%d}: {entry.reason}.",
        "",
        "Its files stay here as they were published, and their checksums and signatures stay",
        f"valid. Use {entry.replacement} instead.",
    ]
    if release.manifest_sha256 is not None:
        lines += ["", f"SHA-256 of its manifest: `{release.manifest_sha256}`"]
    if index.rehearsal:
        lines = ["**REHEARSAL: practice material. Do not publish it.**", "", *lines]
    return "\n".join(lines) + "\n"


def _known_issue(index: ReleaseIndex, entry: IndexEntry) -> str:
    """One line for ``KNOWN_ISSUES.md``."""
    mark = "REHEARSAL: " if index.rehearsal else ""
    return (
        f"- {mark}{entry.version} (deprecated {entry.at:%Y-%m-%d}): {entry.reason}. "
        f"Fixed in {entry.replacement}.\n"
    )


def render_guide(index: ReleaseIndex, version: str, profile: Profile, registry: Registry) -> str:
    """``DEPRECATE.md``: the exact commands for the online machine. Nothing is deleted."""
    releases = listed(index)
    deprecation = releases[version].deprecation
    latest = latest_of(releases, profile)
    if deprecation is None or latest is None:
        raise ValueError("nothing is deprecated")
    notice, issue = notice_name(version), issue_name(version)
    names = (INDEX_NAME, LATEST_NAME, notice, issue)
    return "\n".join(
        [
            f"# Deprecate {index.project} {version}\n",
            *(["**REHEARSAL: practice material. Do not publish it.**\n"] * index.rehearsal),
            "Run these commands in one shell, on the online machine. Each one that fails is a",
            "reason to stop. Nothing is deleted: whoever holds the old files must still be able",
            "to verify them. Two paths are yours to fill in.\n",
            "## 1. Verify first, with the keys of the clone\n",
            "```sh",
            "folder=/path/to/this/folder",
            "clone=/path/to/clone/of/the/project",
            'keys="$clone/keys/public"',
            'export GNUPGHOME="$(mktemp -d)"',
            'cd "$folder"',
            *_checks(names, registry),
            "```\n",
            "## 2. The page of the release\n",
            "```sh",
            'cd "$clone"',
            'notes="$(mktemp)"',
            f'cat "$folder/{notice}" > "$notes"',
            'echo >> "$notes"',
            f'gh release view {version} --json body --jq .body >> "$notes"',
            f'gh release edit {version} --notes-file "$notes"',
            "```\n",
            f'## 3. "latest" points to {latest.version}\n',
            "```sh",
            f"gh release edit {latest.version} --latest",
            "```\n",
            "## 4. Known issues, and the release index\n",
            "```sh",
            f'cat "$folder/{issue}" >> KNOWN_ISSUES.md',
            *(f'cp "$folder/{name}"* "$keys/"' for name in names),
            'git add KNOWN_ISSUES.md "$keys"',
            f"git commit -m 'Deprecate {version}, see {deprecation.replacement}'",
            "```\n",
        ]
    )


def _checks(names: Sequence[str], registry: Registry) -> Iterator[str]:
    """Stock commands over each file, for each key that signs now."""
    minisign = registry.signing_key(Algorithm.MINISIGN)
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    if minisign is not None:
        for name in names:
            yield f'minisign -Vm {name} -p "$keys/minisign-{minisign.id}.pub"'
    if openpgp is not None:
        yield f'gpg --import "$keys/gpg-{openpgp.id}.asc"'
        for name in names:
            yield f"gpg --verify {name}{OPENPGP_SUFFIX} {name}"
