"""The profile: what a project calls its files, and the thresholds of its rules.

A TOML file in the vault; ``pai_signer/profiles/pai.toml`` is the built-in one
and documents every key. Unknown keys are refused.
"""

import re
import tomllib
from typing import Final, Literal

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.names import why_unsafe
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.domain.version import SEMVER_PATTERN, Version, parse_version
from pai_signer.errors import FormatError

MAX_PROFILE_BYTES: Final = 64 << 10
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
#: What GitHub takes as the name of a variable, and what needs no quoting in JSON or Markdown.
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,99})?", re.ASCII)
_NAME_PATTERN: Final = re.compile(r"(?:[A-Za-z0-9._+-]|\{version\}|\{tag\})+", re.ASCII)


#: What else lies beside the artifacts, on the way in and on the way out.
_OWN_NAMES: Final = {"receipt.json", "receipt-tag.json", "receipt.txt", "receipt-tag.txt"} | {
    "registry.json",
    "UPLOAD.md",
    "upload.sh",
    "reminders.ics",
}
_OWN_SUFFIXES: Final = (".minisig", ".asc", ".sha256", ".bundle")


class ProjectRules(Record, frozen=True, kw_only=True):
    """Names of the project; ``{version}`` is 1.2.3, ``{tag}`` what ``tag`` makes of it."""

    name: str
    slug: str
    tag: str
    tag_message: str
    branch: str


class WantedArtifact(Record, frozen=True, kw_only=True):
    """One file that each release must have, under one of several names."""

    architecture: str
    names: tuple[str, ...]
    image: Literal["iso9660", "none"]


class ArtifactRules(Record, frozen=True, kw_only=True):
    """The files of a release, and which signatures they get."""

    manifest: str
    signature_per_artifact: bool
    wanted: tuple[WantedArtifact, ...]


class KeyRules(Record, frozen=True, kw_only=True):
    """Cadences of the keys, in days (POL-6)."""

    minisign_rotation_days: int
    rotation_grace_days: int
    openpgp_validity_days: int


class CustodyRules(Record, frozen=True, kw_only=True):
    """How many proved copies signing asks for (POL-7)."""

    custodians: int
    media: int
    proof_days: int


class ClockRules(Record, frozen=True, kw_only=True):
    """The longest believable time between two journal entries (POL-8)."""

    longest_jump_days: int


class UploadRules(Record, frozen=True, kw_only=True):
    """Where releases are published: its limits, and what the site learns of the OpenPGP key.

    An empty name stands for a project that has no such variable or file.
    """

    asset_limit_bytes: int
    fingerprint_variable: str = "GPG_KEY_FINGERPRINT"
    fingerprint_file: str = "release.json"
    fingerprint_field: str = "gpgFingerprint"


class Profile(Record, frozen=True, kw_only=True):
    """All of it."""

    project: ProjectRules
    artifacts: ArtifactRules
    keys: KeyRules
    custody: CustodyRules
    clock: ClockRules
    upload: UploadRules

    def tag_of(self, version: Version) -> str:
        """The tag's name, which is also what a release is called everywhere: ``v1.2.3``."""
        return self.project.tag.replace("{version}", str(version))

    def version_of(self, tag: str) -> Version:
        """The version in a tag's name; a bare version is taken too. ``UsageError`` else."""
        before, _, after = self.project.tag.partition("{version}")
        if tag.startswith(before) and tag.endswith(after) and before + after:
            tag = tag.removeprefix(before).removesuffix(after)
        return parse_version(tag)

    def tag_message_of(self, version: Version) -> str:
        """The tag's message, one line."""
        return self.project.tag_message.replace("{tag}", self.tag_of(version))

    def release_of_name(self, name: str) -> tuple[Version, WantedArtifact] | None:
        """Version and kind that a file name claims, or None if it is no artifact's name."""
        for wanted in self.artifacts.wanted:
            for pattern in wanted.names:
                match = self._name_regex(pattern).fullmatch(name)
                if match is not None:
                    return parse_version(match["version"]), wanted
        return None

    def _name_regex(self, pattern: str) -> re.Pattern[str]:
        version = f"(?P<version>{SEMVER_PATTERN})"
        tag = re.escape(self.project.tag).replace(re.escape("{version}"), version)
        regex = re.escape(pattern)
        regex = regex.replace(re.escape("{version}"), version)
        return re.compile(regex.replace(re.escape("{tag}"), tag), re.ASCII)


def parse_profile(data: bytes) -> Profile:
    """Parse and check a profile; ``FormatError`` says what is wrong with it."""
    if len(data) > MAX_PROFILE_BYTES:
        raise _bad("it is larger than 64 KiB")
    try:
        profile = msgspec.convert(tomllib.loads(data.decode("utf-8")), Profile)
    # Deep nesting and endless numbers pass tomllib's grammar and break its implementation.
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise _bad(safe_text(str(error), limit=300)) from error
    for why in _faults(profile):
        raise _bad(why)
    return profile


def _faults(profile: Profile) -> list[str]:
    project, artifacts = profile.project, profile.artifacts
    patterns = [pattern for wanted in artifacts.wanted for pattern in wanted.names]
    numbers = (
        profile.keys.minisign_rotation_days,
        profile.keys.openpgp_validity_days,
        profile.custody.custodians,
        profile.custody.media,
        profile.custody.proof_days,
        profile.clock.longest_jump_days,
        profile.upload.asset_limit_bytes,
    )
    texts = (project.name, project.tag_message, artifacts.manifest, project.branch)
    rules = {
        "project.slug has to be short lower-case letters, digits, '.', '_' or '-'": bool(
            _SLUG.fullmatch(project.slug)
        ),
        "a text is empty, longer than 100 characters or holds unprintable characters": all(
            0 < len(t) <= 100 and is_safe(t) and t.isascii() for t in texts
        ),
        "project.tag has to hold {version} once": project.tag.count("{version}") == 1
        and bool(_NAME_PATTERN.fullmatch(project.tag)),
        "an artifact's name has to hold {version} or {tag} once": all(
            p.count("{version}") + p.count("{tag}") == 1 and _NAME_PATTERN.fullmatch(p)
            for p in patterns
        ),
        "artifacts.manifest is no safe file name, or one that the program uses itself": (
            why_unsafe(artifacts.manifest) is None
            and artifacts.manifest not in _OWN_NAMES
            and not artifacts.manifest.endswith(_OWN_SUFFIXES)
        ),
        "an artifact's name ends like a signature, a digest file or a bundle": not any(
            p.endswith(_OWN_SUFFIXES) for p in patterns
        ),
        "artifacts.wanted has to name at least one artifact": bool(patterns),
        "a name in upload is not letters, digits and '_' (in the file's, '.', '/' and '-' too)": (
            all(
                _VARIABLE.fullmatch(name)
                for name in (profile.upload.fingerprint_variable, profile.upload.fingerprint_field)
            )
            and re.fullmatch(r"[A-Za-z0-9_./-]{0,100}", profile.upload.fingerprint_file) is not None
        ),
        "two artifacts have the same name": len(patterns) == len(set(patterns)),
        "a number is not positive": all(n > 0 for n in numbers)
        and profile.keys.rotation_grace_days >= 0,
    }
    return [text for text, holds in rules.items() if not holds]


def _bad(why: str) -> FormatError:
    return FormatError(
        "PROFILE/format",
        f"The profile cannot be used: {why}.",
        "Correct it; the built-in profiles/pai.toml shows every key.",
    )
