"""The safe-name rule: which file names may pass at all (IMP-2).

A name travels far: through ``SHA256SUMS`` lines, shells, FAT sticks, URLs and
terminals. The rule keeps to what means the same in all of them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused

#: File systems allow 255 bytes; the rest is room for ``.minisig`` and temporary names.
MAX_NAME_BYTES: Final = 200

#: No letter here has a second meaning in a shell, a manifest line, a URL or on FAT.
SAFE_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._+-]+", re.ASCII)

#: "Naming Files, Paths, and Namespaces" (Microsoft): reserved with any extension too.
_FAT_RESERVED: Final = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)


def why_unsafe(name: str, allowed: re.Pattern[str] = SAFE_CHARACTERS) -> str | None:
    """Say in a few words why ``name`` may not be used, or None if it is safe.

    ``allowed`` is a profile's own pattern for the whole name; it can only narrow the
    rule, since the built-in one is asked as well. The answer never holds the name itself.
    """
    rules = (
        (bool(name), "the name is empty"),
        (
            len(name.encode("utf-8", "surrogateescape")) <= MAX_NAME_BYTES,
            f"the name is longer than {MAX_NAME_BYTES} bytes",
        ),
        (
            SAFE_CHARACTERS.fullmatch(name) is not None,
            "the name has characters other than letters, digits, dot, underscore, plus, hyphen",
        ),
        (not name.startswith("-"), "the name starts with a hyphen, which tools read as an option"),
        (not name.startswith("."), "the name starts with a dot, which hides it"),
        (not name.endswith("."), "the name ends with a dot, which FAT drops"),
        (".." not in name, "the name has two dots in a row"),
        (_FAT_RESERVED.fullmatch(name) is None, "the name is reserved on FAT and Windows"),
        (allowed.fullmatch(name) is not None, "the name is outside the profile's safe set"),
    )
    return next((why for holds, why in rules if not holds), None)


def check_name(name: str, allowed: re.Pattern[str] = SAFE_CHARACTERS) -> None:
    """Raise ``PolicyRefused`` unless ``name`` is safe."""
    why = why_unsafe(name, allowed)
    if why is not None:
        raise PolicyRefused(
            "IMP-2/name",
            f"The name '{safe_text(name, limit=300)}' is refused: {why}.",
            "Find out where this file comes from. If it is really yours, rename it at its source.",
        )


def find_twins(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of names that differ only in case, and so are one file on FAT; sorted."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[name.casefold()].add(name)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1))
