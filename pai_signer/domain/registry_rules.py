"""How the registry may change: each change as a pure function, and what may follow what (KEY-2).

Every function returns a registry whose serial is one higher, checked as a whole. No key
ever leaves it, a state only moves forward (active, retired, compromised), and what grants
trust never changes: a minisign key is what it is, an OpenPGP certificate only grows.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.openpgp_certificate import merge_certificates, primary_fingerprint
from pai_signer.domain.registry import (
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
    UnsignedRelease,
    check_registry,
    check_time,
)
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError, PolicyRefused, UsageError

MAX_REASON_LENGTH: Final = 300
_AGE: Final = {KeyState.ACTIVE: 0, KeyState.RETIRED: 1, KeyState.COMPROMISED: 2}


def rotate(registry: Registry, new: RegisteredKey, *, reason: str, now: datetime) -> Registry:
    """Put ``new`` in the place of the active key of its system, which becomes retired.

    After a compromise there is no active key: then ``new`` follows the compromised one,
    which stays what it is. ``PolicyRefused`` where there is nothing to follow, or where
    a rehearsal key would follow a real one or the other way round.
    """
    old = _predecessor(registry, new.algorithm)
    check_public_key(new)
    if (new.state is KeyState.REHEARSAL) != (old.state is KeyState.REHEARSAL):
        raise PolicyRefused(
            "KEY-2/rehearsal",
            "A rehearsal key and a real key can never take each other's place.",
            "Generate the new key in this vault.",
        )
    if not new.can_sign or new.supersedes or new.superseded_by:
        raise PolicyRefused(
            "KEY-2/not-new",
            f"The key {new.id} has a story already.",
            "Rotate to a key that was just generated.",
        )
    followed = old
    if old.can_sign:
        followed = _in_state(old, KeyState.RETIRED, reason, now)
    followed = msgspec.structs.replace(followed, superseded_by=new.id)
    keys = (*_with(registry, followed), msgspec.structs.replace(new, supersedes=old.id))
    return _changed(registry, now, keys=keys)


def retire(
    registry: Registry,
    key_id: str,
    *,
    reason: str,
    now: datetime,
    certificate: str | None = None,
) -> Registry:
    """End the use of an active key that gets no successor; its signatures stay good.

    ``certificate`` is the OpenPGP key's own with its revocation merged in (KEY-5).
    """
    key = registry.find(key_id)
    if not key.can_sign:
        raise _wrong_state(key, "retired")
    key = _grown(key, certificate)
    return _changed(
        registry, now, keys=_with(registry, _in_state(key, KeyState.RETIRED, reason, now))
    )


def mark_compromised(
    registry: Registry,
    key_id: str,
    *,
    reason: str,
    now: datetime,
    do_not_trust_after: datetime,
    certificate: str | None = None,
) -> Registry:
    """Mark a key as compromised for ever (KEY-5).

    ``do_not_trust_after`` is the last moment at which the key is known to have been ours
    alone; it lies between the key's birth and ``now``. ``certificate`` is the OpenPGP key's
    own with its revocation merged in.
    """
    key = registry.find(key_id)
    if key.life is KeyState.COMPROMISED:
        raise _wrong_state(key, "marked as compromised")
    if not key.created_at <= do_not_trust_after <= now:
        raise UsageError(
            "KEY-5/do-not-trust-after",
            f"{do_not_trust_after:%Y-%m-%d %H:%M} UTC is not between the key's birth "
            f"({key.created_at:%Y-%m-%d}) and now.",
            "Give the last moment at which the key was surely in nobody else's hands.",
        )
    key = _grown(key, certificate)
    marked = msgspec.structs.replace(
        _in_state(key, KeyState.COMPROMISED, reason, now), do_not_trust_after=do_not_trust_after
    )
    return _changed(registry, now, keys=_with(registry, marked))


def replace_certificate(
    registry: Registry, key_id: str, certificate: str, *, expires_at: datetime | None, now: datetime
) -> Registry:
    """Take in the merged certificate of a registered OpenPGP key (KEY-4).

    ``PolicyRefused`` if anything that was in the old one is missing: signatures made under
    a self-signature that was dropped would no longer verify in strict verifiers.
    """
    key = registry.find(key_id)
    check_grows(key, certificate)
    grown = msgspec.structs.replace(key, public_key=certificate, expires_at=expires_at)
    return _changed(registry, now, keys=_with(registry, grown))


def note_releases(registry: Registry, signed: Mapping[str, tuple[str, str]]) -> Registry:
    """Say which releases each key signed, from the first to the last, by key ID (KEY-2).

    For a new state that is about to be signed: it gets no further serial. ``PolicyRefused``
    where the registry knows another first release; keys that are not registered are no matter.
    """
    keys = tuple(_noted(key, *signed[key.id]) if key.id in signed else key for key in registry.keys)
    noted = msgspec.structs.replace(registry, keys=keys)
    check_registry(noted)
    return noted


def _noted(key: RegisteredKey, first: str, last: str) -> RegisteredKey:
    if key.first_release not in (None, first):
        raise PolicyRefused(
            "KEY-2/first-release",
            f"The first release of {key.id} was {key.first_release}, not {safe_text(first)}.",
            "Compare the journal with the registry.",
        )
    return msgspec.structs.replace(key, first_release=first, last_release=last)


def expect_no_signature(registry: Registry, release: UnsignedRelease, *, now: datetime) -> Registry:
    """Say for ever that ``release`` was published without signatures.

    ``PolicyRefused`` for a version that is known already, or that a key has signed:
    saying so would let its signatures be stripped.
    """
    signed = {v for key in registry.keys for v in (key.first_release, key.last_release)}
    if registry.unsigned_release(release.version) is not None or release.version in signed:
        raise PolicyRefused(
            "KEY-2/unsigned-release",
            f"{safe_text(release.version, limit=80)} is in the registry already.",
            "Only a release that was published before there were keys is unsigned.",
        )
    unsigned = (*registry.unsigned_releases, release)
    return _changed(registry, now, unsigned_releases=unsigned)


def check_public_key(key: RegisteredKey) -> None:
    """Check that ``id`` names ``public_key``; ``FormatError`` if it does not."""
    if key.algorithm is Algorithm.MINISIGN:
        real = parse_public_key(key.public_key).shown_id
    else:
        real = certificate_fingerprint(key.public_key)
    if real != key.id:
        raise FormatError(
            "KEY-2/id",
            f"The public key is {real}, not {safe_text(key.id, limit=80)}.",
            "Do not use it. Export the public key again.",
        )


def check_grows(key: RegisteredKey, certificate: str) -> None:
    """Check that ``certificate`` is the same OpenPGP key with nothing lost."""
    if key.algorithm is not Algorithm.OPENPGP:
        raise UsageError(
            "KEY-4/not-openpgp",
            f"{key.id} is a minisign key: it has no certificate that could change.",
            "Give the fingerprint of an OpenPGP key.",
        )
    fingerprint = certificate_fingerprint(certificate)
    if fingerprint != key.id:
        raise PolicyRefused(
            "KEY-4/other-key",
            f"The certificate is of {fingerprint}, not of {key.id}.",
            "Give the certificate of the registered key.",
        )
    # Nothing of the old one is missing if adding it to the new one adds nothing.
    if merge_certificates([certificate, key.public_key]) != merge_certificates([certificate]):
        raise PolicyRefused(
            "KEY-4/certificate-shrinks",
            f"The certificate lacks a part of what was published of {key.id} before.",
            "Publish the merge of the old certificate and the new one.",
        )


def certificate_fingerprint(certificate: str) -> str:
    """Fingerprint of a version 4 primary key, in upper hex (RFC 4880, 12.2)."""
    return primary_fingerprint(merge_certificates([certificate]))  # one well-formed key


# --- what may follow what -----------------------------------------------------------------


def check_successor(old: Registry, new: Registry) -> None:
    """Check that ``new`` is a later state of ``old``, or ``old`` itself.

    For whoever holds a copy and is shown another: a published folder, a backup, a clone.
    ``PolicyRefused`` names the first thing that no honest change could have done.
    """
    check_registry(new)
    if new == old:
        return
    for why in _breaks(old, new):
        raise PolicyRefused(
            "KEY-2/not-a-successor",
            f"This registry is not a later state of the one that is known: {why}.",
            "Find out which one is the project's own before you trust either.",
        )


def _breaks(old: Registry, new: Registry) -> Iterator[str]:
    if new.project != old.project:
        yield f"it is of {safe_text(new.project, limit=80)}"
    if new.serial <= old.serial:
        yield f"its serial is {new.serial}, after {old.serial}"
    if new.changed_at < old.changed_at:
        yield "it is older by its date"
    kept = {key.id: key for key in new.keys}
    for key in old.keys:
        if key.id not in kept:
            yield f"the key {key.id} is gone"
        else:
            yield from (f"{key.id} {why}" for why in _key_breaks(key, kept[key.id]))
    before = [key.id for key in old.keys]
    if [key.id for key in new.keys][: len(before)] != before:
        yield "its keys are in another order"
    for release in old.unsigned_releases:
        if release not in new.unsigned_releases:
            yield f"what it says of {release.version}, which has no signatures, changed"


def _key_breaks(old: RegisteredKey, new: RegisteredKey) -> Iterator[str]:
    fixed = ("algorithm", "created_at", "user_id", "supersedes")
    for field in fixed:
        if getattr(old, field) != getattr(new, field):
            yield f"has another {field}"
    if (old.state is KeyState.REHEARSAL) != (new.state is KeyState.REHEARSAL):
        yield "changed between rehearsal and real"
    if _AGE[new.life] < _AGE[old.life]:
        yield f"was {old.life.value} and is {new.life.value} again"
    if new.life is old.life and (old.reason, old.state_since) != (new.reason, new.state_since):
        yield "has another reason or date for its state"
    once = ("superseded_by", "do_not_trust_after", "first_release")
    for field in once:
        if getattr(old, field) not in (None, getattr(new, field)):
            yield f"has another {field}"
    if old.last_release is not None and new.last_release is None:
        yield "lost its last_release"
    yield from _public_key_breaks(old, new)


def _public_key_breaks(old: RegisteredKey, new: RegisteredKey) -> Iterator[str]:
    if old.public_key == new.public_key:
        if old.expires_at != new.expires_at:
            yield "has another expiry, with nothing signed to say so"
    elif old.algorithm is Algorithm.MINISIGN or new.algorithm is Algorithm.MINISIGN:
        yield "has another public key"
    else:
        try:
            check_grows(old, new.public_key)
        except (FormatError, PolicyRefused):
            yield "has a certificate that does not hold all of the known one"


# --- the parts ------------------------------------------------------------------------------


def _predecessor(registry: Registry, algorithm: Algorithm) -> RegisteredKey:
    active = registry.signing_key(algorithm)
    if active is not None:
        return active
    ended = [key for key in registry.of(algorithm) if key.superseded_by is None]
    if not ended:
        raise PolicyRefused(
            "KEY-3/nothing-to-rotate",
            f"There is no {algorithm.value} key whose place a new one could take.",
            "Generate the first key: pai-signer key generate",
        )
    return ended[-1]


def _in_state(key: RegisteredKey, life: KeyState, reason: str, now: datetime) -> RegisteredKey:
    """``key`` moved to ``life``; a rehearsal key only plays it."""
    stripped = reason.strip()
    if not stripped or len(stripped) > MAX_REASON_LENGTH or not is_safe(stripped):
        raise UsageError(
            "KEY-2/no-reason",
            "The change of a key's state needs a reason in plain words.",
            f"Type why, in at most {MAX_REASON_LENGTH} printable characters.",
        )
    if key.state is KeyState.REHEARSAL:
        key = msgspec.structs.replace(key, rehearsed_state=life)
    else:
        key = msgspec.structs.replace(key, state=life)
    return msgspec.structs.replace(key, reason=stripped, state_since=now)


def _grown(key: RegisteredKey, certificate: str | None) -> RegisteredKey:
    if certificate is None:
        return key
    check_grows(key, certificate)
    return msgspec.structs.replace(key, public_key=certificate)


def _with(registry: Registry, changed: RegisteredKey) -> tuple[RegisteredKey, ...]:
    return tuple(changed if key.id == changed.id else key for key in registry.keys)


def _changed(
    registry: Registry,
    now: datetime,
    *,
    keys: tuple[RegisteredKey, ...] | None = None,
    unsigned_releases: tuple[UnsignedRelease, ...] | None = None,
) -> Registry:
    check_time(registry, now)
    changed = msgspec.structs.replace(
        registry,
        serial=registry.serial + 1,
        changed_at=now,
        keys=registry.keys if keys is None else keys,
        unsigned_releases=(
            registry.unsigned_releases if unsigned_releases is None else unsigned_releases
        ),
    )
    check_registry(changed)
    return changed


def _wrong_state(key: RegisteredKey, wanted: str) -> PolicyRefused:
    return PolicyRefused(
        "KEY-2/state",
        f"The key {key.id} is {key.life.value}: it cannot be {wanted}.",
        "See 'pai-signer key list' for the states of all keys.",
    )
