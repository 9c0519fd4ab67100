"""The registry of all public keys ever used: the oracle of every verification (KEY-2).

``registry.json`` is pretty-printed JSON with a final newline, so that a change
reads well in a repository. Its published form is a folder: the file itself with
its two detached signatures, and one file for each key in its stock format.
"""

import enum
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.openpgp_certificate import primary_fingerprint
from pai_signer.domain.records import decode_record
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError, PolicyRefused, UntrustedKey

FORMAT: Final = 1
MAX_REGISTRY_BYTES: Final = 4 << 20
REGISTRY_NAME: Final = "registry.json"
MINISIG_SUFFIX: Final = ".minisig"
OPENPGP_SUFFIX: Final = ".asc"

_MINISIGN_ID: Final = re.compile(r"[0-9A-F]{1,16}", re.ASCII)
_OPENPGP_ID: Final = re.compile(r"[0-9A-F]{40}", re.ASCII)
_KEY_FILE: Final = re.compile(r"minisign(-.*)?\.pub|gpg-.*\.asc", re.IGNORECASE | re.DOTALL)
_RELEASE: Final = re.compile(r"[0-9A-Za-z._+-]{1,80}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

#: The times that an OpenPGP key can state: 32 bits of seconds (RFC 4880, 3.5).
FIRST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_TIME: Final = datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)

#: User IDs of rehearsal keys begin with it, so that the key itself says what it is.
REHEARSAL_MARK: Final = "REHEARSAL"


class Algorithm(enum.Enum):
    """The two independent signature systems."""

    MINISIGN = "minisign"
    OPENPGP = "openpgp"

    @property
    def shown(self) -> str:
        """As a person writes it."""
        return "minisign" if self is Algorithm.MINISIGN else "OpenPGP"


class KeyState(enum.Enum):
    """What a key may do: sign and verify, verify only, nothing, or play."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"
    REHEARSAL = "rehearsal"


class RegisteredKey(Record, frozen=True, kw_only=True):
    """One public key and its story; times are RFC 3339 in UTC.

    ``id`` is the full OpenPGP fingerprint in upper hex, or minisign's key ID as
    stock minisign shows it. ``public_key`` is the armored certificate, or the
    base64 line: it grants trust, the ID only names. ``expires_at`` is the primary's.
    """

    algorithm: Algorithm
    id: str
    public_key: str
    state: KeyState
    created_at: datetime
    expires_at: datetime | None = None
    user_id: str = ""
    supersedes: str | None = None
    superseded_by: str | None = None
    #: Why it came into ``state``, and when, if that was not at birth.
    reason: str = ""
    state_since: datetime | None = None
    #: Of a compromised key: the last moment at which it is known to have been ours alone.
    do_not_trust_after: datetime | None = None
    first_release: str | None = None
    last_release: str | None = None
    #: The state that a rehearsal key plays once it is no longer the active one. It never
    #: leaves ``REHEARSAL`` itself: a rotated practice key must not pass for a retired real one.
    rehearsed_state: KeyState | None = None

    @property
    def life(self) -> KeyState:
        """Active, retired or compromised, be it in earnest or in a rehearsal."""
        if self.state is KeyState.REHEARSAL:
            return self.rehearsed_state or KeyState.ACTIVE
        return self.state

    @property
    def can_sign(self) -> bool:
        """Whether new signatures may be made with it."""
        return self.life is KeyState.ACTIVE


class UnsignedRelease(Record, frozen=True, kw_only=True):
    """A release of which no signature was ever expected, as PAI v0.1.0.

    ``manifest_sha256`` pins its published checksums: without it anybody could pass off
    other files under that version, since nothing about them is signed.
    """

    version: str
    reason: str
    manifest_sha256: str | None = None


class Registry(Record, frozen=True, kw_only=True):
    """All keys; ``serial`` grows by one with each change."""

    format: Literal[1] = FORMAT
    project: str
    serial: int
    changed_at: datetime
    keys: tuple[RegisteredKey, ...] = ()
    unsigned_releases: tuple[UnsignedRelease, ...] = ()

    def of(self, algorithm: Algorithm) -> tuple[RegisteredKey, ...]:
        """The keys of one system, oldest first."""
        return tuple(key for key in self.keys if key.algorithm is algorithm)

    def signing_key(self, algorithm: Algorithm) -> RegisteredKey | None:
        """The one key that signs now, if there is one."""
        return next((key for key in self.of(algorithm) if key.can_sign), None)

    def unsigned_release(self, version: str) -> UnsignedRelease | None:
        """What is known of a release that was never signed; None where signatures are due."""
        return next((r for r in self.unsigned_releases if r.version == version), None)

    def find(self, key_id: str) -> RegisteredKey:
        """The key with exactly this ID; ``UntrustedKey`` if none is registered."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise UntrustedKey(
            "KEY-2/unknown-key",
            f"The key {safe_text(key_id, limit=80)} is not in the registry.",
            "Only registered keys grant trust. Check that you have the current keys folder.",
        )


def check_time(registry: Registry, now: datetime) -> None:
    """No change of the registry is dated before its last one (POL-8)."""
    if now < registry.changed_at:
        raise PolicyRefused(
            "KEY-2/clock",
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, before the registry's last change.",
            "Set the clock right first: no key is touched under a wrong clock.",
        )


def with_key(registry: Registry, key: RegisteredKey, now: datetime) -> Registry:
    """Return the registry with ``key`` added; refuses a second signing key of its kind."""
    check_time(registry, now)
    existing = registry.signing_key(key.algorithm)
    if existing is not None:
        raise PolicyRefused(
            "KEY-2/already-active",
            f"There is an active {key.algorithm.value} key already: {existing.id}.",
            "A new key takes the place of an old one by rotation only.",
        )
    changed = msgspec.structs.replace(
        registry, serial=registry.serial + 1, changed_at=now, keys=(*registry.keys, key)
    )
    check_registry(changed)
    return changed


def parse_registry(data: bytes) -> Registry:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    registry = decode_record(data, Registry, REGISTRY_NAME, limit_bytes=MAX_REGISTRY_BYTES)
    check_registry(registry)
    return registry


def check_registry(registry: Registry) -> None:
    """Check the rules between keys: unique IDs, one signing key of a kind, whole links."""
    for why in _time_faults(registry):
        raise _bad(why)
    if registry.serial < 0 or not registry.project or not is_safe(registry.project):
        raise _bad("its project or its serial is none")
    ids = [key.id for key in registry.keys]
    if len(set(ids)) != len(ids):
        raise _bad("a key stands in it twice")
    if len({key.public_key for key in registry.keys}) != len(ids):
        raise _bad("one public key stands under two IDs")
    for algorithm in Algorithm:
        if sum(key.can_sign for key in registry.of(algorithm)) > 1:
            raise _bad(f"it has two active {algorithm.value} keys")
    if len({key.state is KeyState.REHEARSAL for key in registry.keys}) > 1:
        raise _bad("it mixes rehearsal keys with real ones")
    for key in registry.keys:
        pattern = _MINISIGN_ID if key.algorithm is Algorithm.MINISIGN else _OPENPGP_ID
        if not pattern.fullmatch(key.id):
            raise _bad(f"{safe_text(key.id, limit=80)!r} is no key ID")
        if _id_of(key) != key.id:
            raise _bad(f"{key.id} is not the ID of its public key")
        for why in _story_faults(key):
            raise _bad(f"{key.id} {why}")
    _check_succession(registry)
    _check_unsigned_releases(registry)


def _id_of(key: RegisteredKey) -> str:
    """What ``id`` has to be; ``FormatError`` if ``public_key`` is no key of its system."""
    if key.algorithm is Algorithm.MINISIGN:
        return parse_public_key(key.public_key).shown_id
    return primary_fingerprint(key.public_key)


def _time_faults(registry: Registry) -> Iterator[str]:
    """What contradicts the order of a key's life: born, changed, written down; then it expires.

    Expiry lies ahead; nothing else in a registry may be later than its last change.
    """
    times = [("the registry", "changed_at", registry.changed_at)]
    for key in registry.keys:
        for field in ("created_at", "expires_at", "state_since", "do_not_trust_after"):
            time = getattr(key, field)
            if time is not None:
                times.append((key.id, field, time))
    for owner, field, time in times:
        if time.utcoffset() != timedelta() or not FIRST_TIME <= time <= LAST_TIME:
            yield f"{field} of {safe_text(owner, limit=80)} is no time in UTC that a key can have"
            return  # what has no zone cannot be compared
    for key in registry.keys:
        since, trusted = key.state_since, key.do_not_trust_after
        if key.created_at > registry.changed_at:
            yield f"{safe_text(key.id, limit=80)} was made after the registry's last change"
        if key.expires_at is not None and key.expires_at <= key.created_at:
            yield f"{safe_text(key.id, limit=80)} expired before it was made"
        if any(t and not key.created_at <= t <= registry.changed_at for t in (since, trusted)):
            yield f"{safe_text(key.id, limit=80)} has a date outside of its life"


def _story_faults(key: RegisteredKey) -> list[str]:
    """What in a key's own fields contradicts its state."""
    is_rehearsal = key.state is KeyState.REHEARSAL
    releases = (key.first_release, key.last_release)
    rules = {
        "plays a state that it cannot play": key.rehearsed_state is None
        or (is_rehearsal and key.rehearsed_state in (KeyState.RETIRED, KeyState.COMPROMISED)),
        "is a rehearsal key that stands as a real one": is_rehearsal
        or not key.user_id.startswith(REHEARSAL_MARK),
        "has a successor and is still active": key.superseded_by is None or not key.can_sign,
        "is not compromised and has a last day of trust": key.do_not_trust_after is None
        or key.life is KeyState.COMPROMISED,
        "has only one end of its releases": (None in releases) == (releases == (None, None)),
        "names a release that is none": all(r is None or _RELEASE.fullmatch(r) for r in releases),
        "has a text with unprintable characters": is_safe(key.reason) and is_safe(key.user_id),
    }
    return [why for why, holds in rules.items() if not holds]


def _check_succession(registry: Registry) -> None:
    """Each link stands at both of its ends, within one system, and none leads in a circle."""
    by_id = {key.id: key for key in registry.keys}
    for key in registry.keys:
        for link in (key.supersedes, key.superseded_by):
            if link is not None and (link not in by_id or link == key.id):
                raise _bad(f"{key.id} is linked to a key that is not in it")
        if key.superseded_by and by_id[key.superseded_by].supersedes != key.id:
            raise _bad(f"{key.superseded_by} does not say that it supersedes {key.id}")
        if key.supersedes and by_id[key.supersedes].superseded_by != key.id:
            raise _bad(f"{key.supersedes} does not say that {key.id} supersedes it")
        if key.supersedes and by_id[key.supersedes].algorithm is not key.algorithm:
            raise _bad(f"{key.id} supersedes a key of another system")
    # Links are whole and one to one now: whoever no first key leads to stands in a circle.
    following = [key.id for key in registry.keys if key.supersedes is None]
    reached = 0
    while following:
        reached += len(following)
        following = [link for i in following if (link := by_id[i].superseded_by) is not None]
    if reached != len(by_id):
        raise _bad("keys supersede each other in a circle")


def _check_unsigned_releases(registry: Registry) -> None:
    versions = [release.version for release in registry.unsigned_releases]
    if len(set(versions)) != len(versions):
        raise _bad("a release without signatures stands in it twice")
    for release in registry.unsigned_releases:
        digest = release.manifest_sha256
        if (
            not _RELEASE.fullmatch(release.version)
            or not (release.reason.strip() and is_safe(release.reason))
            or (digest is not None and not _SHA256.fullmatch(digest))
        ):
            raise _bad("a release without signatures is not described as it should be")


def published_files(registry_files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the published folder, from ``registry.json`` and its signatures."""
    registry = parse_registry(registry_files[REGISTRY_NAME])
    return {**registry_files, **dict(_key_files(registry))}


def is_key_file(name: str) -> bool:
    """Whether a file of a published folder holds one key in its stock format."""
    return _KEY_FILE.fullmatch(name) is not None


def check_key_files(registry: Registry, files: Mapping[str, bytes]) -> None:
    """Every key file at hand is byte for byte the one that ``registry`` describes (KEY-2).

    Stock tools read these files, and they carry no signature of their own. ``UntrustedKey``
    for one that differs, and for a key that is not registered; one may be missing.
    """
    known = dict(_key_files(registry))
    for name, data in files.items():
        if is_key_file(name) and known.get(name) != data:
            raise UntrustedKey(
                "KEY-2/key-file",
                f"{safe_text(name, limit=200)} is not a key file that the signed registry "
                "describes.",
                "Do not use it. Get the whole keys folder again.",
            )


def _key_files(registry: Registry) -> Iterator[tuple[str, bytes]]:
    for key in registry.of(Algorithm.MINISIGN):
        text = f"untrusted comment: minisign public key {key.id}\n{key.public_key}\n".encode()
        yield f"minisign-{key.id}.pub", text
        if key.can_sign:
            yield "minisign.pub", text
    for key in registry.of(Algorithm.OPENPGP):
        yield f"gpg-{key.id}.asc", key.public_key.encode()


def _bad(why: str) -> FormatError:
    return FormatError(
        "KEY-2/registry",
        f"The registry of keys cannot be trusted: {why}.",
        "Get it again from the project's repository, or restore it from a backup medium.",
    )
