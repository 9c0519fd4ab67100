"""Which signatures a release ought to have: those of every system that was in use then (VER-1).

Two independent signatures protect nobody if one of them can be taken away without a word.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.version import parse_version
from pai_signer.workflows.verify.verified import Verified

MISSING: Final[Mapping[str, Algorithm]] = {
    "minisign": Algorithm.MINISIGN,
    "OpenPGP": Algorithm.OPENPGP,
}
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


def due_and_missing(registry: Registry, verified: Verified) -> tuple[str, ...]:
    """The systems of which a signature is missing though a key of theirs was in use.

    In use when the receipt says that it was signed; without a receipt, at any time at which
    a key that did sign was. A project with one system, or one that took up the second
    later, owes nothing. A compromised key owes nothing either: its signature would count
    for nothing. Nor does a system whose key endorsed the release afterwards (KEY-5).
    """
    endorsing = {signer.partition(" ")[0] for signer in verified.endorsed_by}
    return tuple(
        name
        for name in verified.missing_systems
        if name not in endorsing
        and any(_owes(key, registry, verified) for key in registry.of(MISSING[name]))
    )


def _owes(key: RegisteredKey, registry: Registry, verified: Verified) -> bool:
    if key.life not in (KeyState.ACTIVE, KeyState.RETIRED) or _is_before_first(key, verified):
        return False
    begin, end = _in_use(key)
    return any(begin <= last and first <= end for first, last in _times(registry, verified))


def _times(registry: Registry, verified: Verified) -> Iterator[tuple[datetime, datetime]]:
    if verified.signed_at is not None:
        yield verified.signed_at, verified.signed_at
        return
    for key_id in {key_id for ids in verified.signers_of.values() for key_id in ids}:
        yield _in_use(registry.find(key_id))


def _in_use(key: RegisteredKey) -> tuple[datetime, datetime]:
    is_over = key.life is not KeyState.ACTIVE
    return key.created_at, (key.state_since if is_over else None) or _FOR_EVER


def _is_before_first(key: RegisteredKey, verified: Verified) -> bool:
    """A key that was older than its use: it was imported after this release."""
    if key.first_release is None or not verified.version:
        return False
    version, first = verified.version, key.first_release
    return parse_version(version.removeprefix("v")) < parse_version(first.removeprefix("v"))
