"""Release versions: SemVer 2.0.0 (https://semver.org), and their order (POL-1, POL-3)."""

import functools
import re
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.text import safe_text
from pai_signer.errors import UsageError

#: The pattern that the specification itself suggests, in named groups.
SEMVER_PATTERN: Final = (
    r"(?P<major>0|[1-9][0-9]{0,8})\.(?P<minor>0|[1-9][0-9]{0,8})\.(?P<patch>0|[1-9][0-9]{0,8})"
    r"(?:-(?P<pre>(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_SEMVER: Final = re.compile(SEMVER_PATTERN, re.ASCII)
MAX_LENGTH: Final = 64


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """One version; ``text`` is its spelling without any tag prefix."""

    text: str
    numbers: tuple[int, int, int]
    prerelease: tuple[str, ...]

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        # SemVer 11: numeric identifiers sort below words; a prerelease below its release.
        marks = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease
        )
        return (self.numbers, not self.prerelease, marks)


def parse_version(text: str) -> Version:
    """Parse ``1.2.3`` or ``1.2.3-rc.1``; ``UsageError`` for anything else (POL-1)."""
    match = _SEMVER.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        raise UsageError(
            "POL-1/semver",
            f"{safe_text(text, limit=80)!r} is not a version like 1.2.3.",
            "Give a SemVer version, written as the tag is, for example v0.2.0.",
        )
    pre = match["pre"]
    numbers = (int(match["major"]), int(match["minor"]), int(match["patch"]))
    return Version(text, numbers, tuple(pre.split(".")) if pre else ())
