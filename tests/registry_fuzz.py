"""A small published registry and endless ways to spoil it (KEY-2).

The keys are real: the registry's signature is checked by the program's own verifier. The
spoilt ones come in two kinds. What somebody changes in the files carries the old signature.
What no honest program would write is signed anew by the right key, so that only the rules
between the keys stand in its way.
"""

import base64
import contextlib
import functools
import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.composition import built_in_profile
from pai_signer.domain.minisig import MinisignPublicKey, trusted_comment
from pai_signer.domain.profile import Profile, parse_profile
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
    UnsignedRelease,
    check_key_files,
    published_files,
)
from pai_signer.domain.registry_rules import check_successor, retire, rotate
from pai_signer.domain.reminders import reminders
from pai_signer.domain.transition import render_transition, transition_of
from pai_signer.errors import BadSignature, CannotTell, FormatError, PolicyRefused, UntrustedKey
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Verifiers
from tests.fuzzing.mutations import TOKENS, own_form, spoilt_bytes, spoilt_rows
from tests.registries import BORN, YEAR, openpgp_key

SIGNATURE: Final = REGISTRY_NAME + MINISIG_SUFFIX
#: How a registry may be refused. ``UntrustedKey`` says that another key, or none that is
#: known, signed it; anything that is no ``SignerError`` is a bug of the program.
REFUSALS: Final = (FormatError, PolicyRefused, BadSignature, UntrustedKey)


@functools.cache
def secret_key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % seed).digest())


def real_key(seed: int) -> RegisteredKey:
    """An active minisign key that can sign: its secret half comes from ``seed``."""
    raw = secret_key(seed).public_key().public_bytes_raw()
    public = MinisignPublicKey(seed.to_bytes(8, "little"), raw)
    return RegisteredKey(
        algorithm=Algorithm.MINISIGN,
        id=public.shown_id,
        public_key=public.line,
        state=KeyState.ACTIVE,
        created_at=BORN,
    )


def signed(data: bytes, seed: int) -> bytes:
    """The stock signature file over ``data`` by the key of ``seed``."""
    key, key_id = secret_key(seed), seed.to_bytes(8, "little")
    signature = key.sign(hashlib.blake2b(data).digest())
    comment = trusted_comment("PAI", "registry-4", REGISTRY_NAME)
    lines = (
        "untrusted comment: signature from minisign secret key",
        base64.b64encode(b"ED" + key_id + signature).decode(),
        f"trusted comment: {comment}",
        base64.b64encode(key.sign(signature + comment.encode())).decode(),
    )
    return "".join(f"{line}\n" for line in lines).encode()


class _NoOpenPgp:
    """No key here signs with OpenPGP: gpg has tests of its own, and is slow."""

    def verify_detached(self, *_: object) -> NoReturn:
        raise AssertionError("it was asked for")


VERIFIERS: Final = Verifiers(CryptographyMinisignVerifier(), _NoOpenPgp())


@functools.cache
def known_registry() -> Registry:
    """A rotated minisign key, a retired OpenPGP key, a release that was never signed."""
    start = Registry(
        project="PAI",
        serial=2,
        changed_at=BORN,
        keys=(real_key(1), openpgp_key(1)),
        unsigned_releases=(
            UnsignedRelease(
                version="v0.1.0", reason="before there were keys", manifest_sha256="ab" * 32
            ),
        ),
    )
    ended = retire(start, openpgp_key(1).id, reason="moved", now=BORN + YEAR)
    return rotate(ended, real_key(2), reason="every two years", now=BORN + YEAR)


@functools.cache
def known_files() -> Mapping[str, bytes]:
    """Its published form, as it stands in a repository."""
    data = encode_record(known_registry())
    return published_files({REGISTRY_NAME: data, SIGNATURE: signed(data, 2)})


def load(files: Mapping[str, bytes]) -> Registry:
    """What ``verify`` does with a folder of keys before it looks at a release."""
    registry = verify_registry(files, VERIFIERS)
    check_key_files(registry, files)
    return registry


# --- signed with the right key, against the rules ---------------------------------------------

#: Words of the format, for what is changed without the key.
_TOKENS: Final = (
    *TOKENS,
    *(b'"active"', b'"retired"', b'"rehearsal"', b'"compromised"', b'"keys": []', b'"serial": 9'),
)
_DATES: Final = (
    None,
    *("2026-01-05T12:00:00Z", "2027-01-05T12:00:00Z", "2030-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    *("2026-06-01T00:00:00", "2026-06-01T00:00:00+02:00", "2026-06-01T00:00:00.5Z"),
)
_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "algorithm": ("minisign", "openpgp", "pgp"),
    "id": ("1", "2", "3", "", "A" * 40, "a" * 40, "x" * 5000, "1\n"),
    "public_key": ("", "RWQ", real_key(1).public_key, real_key(3).public_key, "\x1b[2J"),
    "state": ("active", "retired", "compromised", "rehearsal", "lost"),
    "rehearsed_state": (None, "active", "retired", "compromised", "rehearsal"),
    "created_at": _DATES,
    "expires_at": _DATES,
    "state_since": _DATES,
    "do_not_trust_after": _DATES,
    "changed_at": _DATES,
    "supersedes": (None, "1", "2", "3", "", openpgp_key(1).id),
    "superseded_by": (None, "1", "2", "3", "", openpgp_key(1).id),
    "reason": ("", "why", "\x1b[2J", "x" * 10_000, None),
    "user_id": ("", "REHEARSAL Key", "a\nb", "Someone <a@example.org>"),
    "first_release": (None, "v1.0.0", "v1\n", ""),
    "last_release": (None, "v1.0.0", "../etc", ""),
    "version": ("v0.1.0", "v0.2.0", "", "v1\n"),
    "manifest_sha256": (None, "ab" * 32, "AB" * 32, "ab"),
    "serial": (0, -1, 3, 4, 2**63, 2**64, 1e9, "4", None),
    "format": (0, 1, 2, "1"),
    "project": ("PAI", "", "OTHER", "\x1b[2J", "P\u202eAI"),
}


def spoilt_record(chance: random.Random) -> bytes:
    """``registry.json`` in the program's own form, with contents that it might never write."""
    tree: dict[str, Any] = msgspec.json.decode(encode_record(known_registry()))
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        if chance.random() < 0.1:
            tree["keys"].append(msgspec.to_builtins(_another_key(chance)))
        else:
            spoilt_rows(chance, tree, ("keys", "unsigned_releases"), _VALUES)
    return own_form(tree)


def _another_key(chance: random.Random) -> RegisteredKey:
    seed, state = chance.randrange(1, 5), chance.choice(tuple(KeyState))
    key = chance.choice((real_key, openpgp_key))(seed)
    return msgspec.structs.replace(key, state=state)


# --- one try -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """How many registries were tried, and what became of them."""

    refused: int = 0
    unharmed: int = 0
    lawful: int = 0

    @property
    def tried(self) -> int:
        return self.refused + self.unharmed + self.lawful


@functools.cache
def _profile() -> Profile:
    return parse_profile(built_in_profile())


def try_one(chance: random.Random, tally: Tally) -> None:
    """One spoilt registry: refused, or what is accepted keeps every rule."""
    files = dict(known_files())
    if chance.random() < 0.4:
        data = spoilt_record(chance)
        files = {REGISTRY_NAME: data, SIGNATURE: signed(data, chance.choice((2, 2, 1, 3)))}
    else:
        name = chance.choice([REGISTRY_NAME, REGISTRY_NAME, SIGNATURE, *files])
        files[name] = spoilt_bytes(chance, files[name], _TOKENS)
    try:
        accepted = load(files)
    except REFUSALS:
        tally.refused += 1
        return
    except CannotTell as error:
        # No key can sign, or its signature is not there: nobody vouches for anything.
        if error.code not in {"KEY-2/no-signer", "KEY-2/unsigned-registry"}:
            raise
        tally.refused += 1
        return
    if accepted == known_registry():
        _check_unharmed(files)
        tally.unharmed += 1
        return
    for broken in _broken_rules(accepted):
        raise AssertionError(broken)
    _use(accepted)
    tally.lawful += 1


def _check_unharmed(files: Mapping[str, bytes]) -> None:
    """Only the comment that nobody signed may differ, and the newline behind the last line."""
    known = known_files()
    for name, data in files.items():
        if name == SIGNATURE:
            signed_lines, real = (
                d.removesuffix(b"\n").split(b"\n")[1:] for d in (data, known[name])
            )
            assert signed_lines == real
        else:
            assert data == known[name], name


def _broken_rules(registry: Registry) -> Iterator[str]:
    """The rules of KEY-2 once more, in other words than the program's."""
    keys = {key.id: key for key in registry.keys}
    if len(keys) != len(registry.keys) or len({k.public_key for k in registry.keys}) != len(keys):
        yield "a key stands there twice"
    for algorithm in Algorithm:
        active = [k for k in registry.of(algorithm) if k.life is KeyState.ACTIVE]
        if len(active) > 1:
            yield "two keys are active"
    if len({k.state is KeyState.REHEARSAL for k in registry.keys}) > 1:
        yield "rehearsal and real keys are mixed"
    for key in registry.keys:
        seen = {key.id}
        here = key.superseded_by
        while here is not None:
            if here not in keys or here in seen:
                yield "a link dangles or turns in a circle"
                break
            seen.add(here)
            here = keys[here].superseded_by
        before = keys.get(key.supersedes or "")
        if key.supersedes and (before is None or before.superseded_by != key.id):
            yield "a link has one end only"
        if not BORN.year - 60 < key.created_at.year or key.created_at > registry.changed_at:
            yield "a key was made at an absurd date"
    for release in registry.unsigned_releases:
        if [r.version for r in registry.unsigned_releases].count(release.version) > 1:
            yield "an unsigned release stands there twice"


def _use(registry: Registry) -> None:
    """What the program does with a registry that it took in: nothing of it may fall over."""
    files = {REGISTRY_NAME: encode_record(registry)}
    assert set(published_files(files)) > set(files)
    for days in (0, 1000, 20_000):
        reminders(registry, _profile(), BORN + timedelta(days=days))
    for key in registry.keys:
        if key.supersedes is not None:
            with contextlib.suppress(FormatError):  # a text that a statement cannot show
                render_transition(transition_of(registry, key.id, BORN.date()))
    for pair in ((known_registry(), registry), (registry, known_registry())):
        with contextlib.suppress(PolicyRefused):
            check_successor(*pair)
