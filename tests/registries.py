"""Registries for tests of the pure rules: real formats, made-up key material."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pai_signer.domain.minisig import MinisignPublicKey
from pai_signer.domain.openpgp_certificate import armored
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.registry_rules import certificate_fingerprint

BORN: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
YEAR: Final = timedelta(days=365)


def minisign_key(seed: int, state: KeyState = KeyState.ACTIVE) -> RegisteredKey:
    """A minisign key whose ID and key bytes come from ``seed``."""
    public = MinisignPublicKey(seed.to_bytes(8, "little"), bytes([seed % 256]) * 32)
    return RegisteredKey(
        algorithm=Algorithm.MINISIGN,
        id=public.shown_id,
        public_key=public.line,
        state=state,
        created_at=BORN,
    )


def certificate(seed: int, signatures: int = 1, subkeys: int = 1) -> str:
    """A certificate of well-formed packets; the signatures in it are just numbers."""

    def packet(tag: int, body: bytes) -> bytes:
        return bytes((0x80 | tag << 2, len(body))) + body

    def signed(tag: int, body: bytes, kind: int) -> bytes:
        made = (packet(2, bytes((4, kind)) + b"signature %d" % n) for n in range(signatures))
        return packet(tag, body) + b"".join(made)

    return armored(
        packet(6, b"\x04primary %d" % seed)
        + signed(13, b"Test Key <test@test.invalid>", 0x13)
        + b"".join(signed(14, b"\x04subkey %d of %d" % (n, seed), 0x18) for n in range(subkeys))
    )


def openpgp_key(seed: int, state: KeyState = KeyState.ACTIVE) -> RegisteredKey:
    """An OpenPGP key with a certificate of one signature for each part."""
    block = certificate(seed)
    name = "REHEARSAL Test Key" if state is KeyState.REHEARSAL else "Test Key"
    return RegisteredKey(
        algorithm=Algorithm.OPENPGP,
        id=certificate_fingerprint(block),
        public_key=block,
        state=state,
        created_at=BORN,
        expires_at=BORN + YEAR,
        user_id=f"{name} <test@test.invalid>",
    )


def registry(*keys: RegisteredKey) -> Registry:
    """A registry of these keys; by default one active key of each system."""
    return Registry(
        project="PAI", serial=2, changed_at=BORN, keys=keys or (minisign_key(1), openpgp_key(1))
    )


def altered(key: RegisteredKey, **fields: object) -> RegisteredKey:
    """``key`` with some fields changed, whatever sense that makes."""
    return msgspec.structs.replace(key, **fields)


def flipped(line: str) -> str:
    """A base64 line with one bit of its last key byte changed."""
    blob = bytearray(base64.b64decode(line))
    blob[-1] ^= 1
    return base64.b64encode(blob).decode()
