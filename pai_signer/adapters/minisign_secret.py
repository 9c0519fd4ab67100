"""One minisign secret key: its stock file opened and written, and the key used (KEY-1, SIG-2).

py-minisign's own defaults are not stock's: weaker scrypt, legacy file signatures, a
clock in the comment, no final newline. Each of them is overridden here and read back.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import minisign
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minisign.algo import SignatureAlgorithm

from pai_signer.adapters.passphrases import wrong_passphrase
from pai_signer.domain.minisig import (
    BLAKE2B_512_BYTES,
    STOCK_LIMITS,
    ScryptLimits,
    SecretKeyHeader,
    parse_public_key,
    parse_secret_key_header,
)
from pai_signer.domain.registry import REHEARSAL_MARK
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, CannotTell, FormatError, PolicyRefused, UntrustedKey

#: What the program and the system want beside scrypt's own memory.
_MEMORY_MARGIN_BYTES: Final = 64 << 20
_REHEARSAL_COMMENT: Final = f"{REHEARSAL_MARK} minisign encrypted secret key"


def memory_available_bytes() -> int:
    """Memory that can be had without swapping: MemAvailable of /proc/meminfo, proc(5)."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise CannotTell(
        "KEY-1/memory-unknown",
        "The system does not say how much memory is free.",
        "Run the program on an ordinary Linux system with /proc mounted.",
    )


class KeyFiles:
    """Opens and writes stock key files; see ``MinisignKeyDirectory`` for the parameters."""

    def __init__(
        self,
        limits: ScryptLimits = STOCK_LIMITS,
        memory_available: Callable[[], int] = memory_available_bytes,
        *,
        rehearsal: bool = False,
    ) -> None:
        self.limits = limits
        self._memory_available = memory_available
        self._rehearsal = rehearsal

    def locked(self, secret_key: minisign.SecretKey, passphrase: Secret) -> bytes:
        """The key file of an open key, which is encrypted by it, under a fresh salt.

        The hashing limits are read back: ``CannotTell`` if the library wrote others.
        """
        self.check_memory(self.limits)
        secret_key.encrypt(
            _as_password(passphrase),
            opslimit=self.limits.ops,
            memlimit=self.limits.memory_bytes,
        )
        if self._rehearsal:
            secret_key.untrusted_comment = _REHEARSAL_COMMENT
        key_file = bytes(secret_key) + b"\n"
        if parse_secret_key_header(key_file) != SecretKeyHeader(True, self.limits):
            raise CannotTell(
                "KEY-1/limits-not-written",
                "The new key was not written with the passphrase hashing that was asked for.",
                "Do not use it. Check the py-minisign library of this installation.",
            )
        return key_file

    def opened(self, key_file: bytes, passphrase: Secret) -> minisign.SecretKey:
        """The decrypted key of a key file; the caller wipes it.

        Raises ``FormatError`` for what is no key file or asks for excessive hashing,
        ``PolicyRefused`` for an unencrypted or weakly encrypted one, for one of a
        rehearsal and for a wrong passphrase, ``CannotTell`` without the memory.
        """
        header = parse_secret_key_header(key_file)
        if _says_rehearsal(key_file) and not self._rehearsal:
            raise PolicyRefused(
                "KEY-2/rehearsal",
                "The minisign key file is of a rehearsal: its passphrase and its copies were "
                "never guarded.",
                "Take the key file of the real key, or generate one.",
            )
        if not header.is_encrypted:
            raise _unprotected()
        self._check_limits(header.limits)
        try:
            secret_key = minisign.SecretKey.from_bytes(key_file)
        except minisign.Error as error:
            raise FormatError(
                "SIG-2/format",
                f"This is not a minisign secret key: {error}.",
                "Use the file as minisign wrote it.",
            ) from error
        # The file may claim encryption and hold the key in the clear; decrypt() would then
        # succeed with any passphrase.
        if not secret_key.is_encrypted():
            secret_key.wipe()
            raise _unprotected()
        self.check_memory(header.limits)
        try:
            secret_key.decrypt(_as_password(passphrase))
        except minisign.Error:
            raise wrong_passphrase("the minisign key") from None
        except MemoryError:
            raise _too_little_memory(header.limits) from None
        return secret_key

    def _check_limits(self, limits: ScryptLimits) -> None:
        """Before any scrypt: an opslimit of 2^40 would take a day."""
        if not STOCK_LIMITS.at_least(limits):
            raise FormatError(
                "KEY-1/scrypt-excessive",
                "The key file asks for more passphrase hashing than stock minisign ever writes.",
                "The file is damaged or hostile; use another copy.",
            )
        if not limits.at_least(self.limits):
            raise PolicyRefused(
                "KEY-1/scrypt-weak",
                "The key file's passphrase hashing is weaker than stock minisign's.",
                "Re-encrypt it with stock minisign on a machine with 2 GiB of memory: "
                "minisign -C -s FILE. Then destroy the weak copies.",
            )

    def check_memory(self, limits: ScryptLimits) -> None:
        """Raise ``CannotTell`` unless there is the memory that ``limits`` need."""
        if self._memory_available() < limits.memory_bytes + _MEMORY_MARGIN_BYTES:
            raise _too_little_memory(limits)


class UnlockedKey:
    """The ``UnlockedMinisignKey`` port: a decrypted key that wipes itself on request."""

    def __init__(self, secret_key: minisign.SecretKey, public_key: str) -> None:
        """Take over ``secret_key``; ``UntrustedKey`` unless it is ``public_key``'s."""
        if public_line(secret_key) != public_key:
            raise UntrustedKey(
                "KEY-2/other-key",
                "The stored secret key belongs to another public key than the registry's.",
                "Do not sign. Restore the right key from a backup.",
            )
        self._secret_key = secret_key
        self._public_key = public_key

    @property
    def public_key(self) -> str:
        """The base64 line of its public key."""
        return self._public_key

    def sign_prehashed(self, blake2b_512: bytes, trusted_comment: str) -> bytes:
        """The ``.minisig`` file for a file with this BLAKE2b-512 digest (SIG-2)."""
        if self._secret_key.is_wiped():
            raise CannotTell(
                "SEC-4/locked",
                "The minisign key was locked again.",
                "Give its passphrase once more.",
            )
        if len(blake2b_512) != BLAKE2B_512_BYTES:
            raise FormatError(
                "SIG-2/digest",
                "The digest is not a BLAKE2b-512 digest.",
                "This is a fault of the program; report it.",
            )
        try:
            # The digest is in hand, so py-minisign must not hash again (prehash=False); what
            # it calls a legacy signature of 64 bytes is the prehashed signature of the file,
            # once the algorithm says so. The comment signature does not cover the algorithm.
            signature = self._secret_key.sign(
                blake2b_512, prehash=False, trusted_comment=trusted_comment
            )
        except minisign.ParseError as error:
            raise FormatError(
                "SIG-2/comment",
                f"The trusted comment cannot be written: {error}.",
                "Use plain ASCII text without control characters.",
            ) from error
        try:
            minisign.PublicKey.from_base64(self._public_key).verify(blake2b_512, signature)
        except minisign.VerifyError as error:
            raise BadSignature(
                "SIG-5/fresh-signature",
                "The signature that was just made does not verify.",
                "The key file or this machine's memory is damaged: do not sign with them.",
            ) from error
        prehashed = dataclasses.replace(
            signature, _signature_algorithm=SignatureAlgorithm.PREHASHED_ED_DSA
        )
        return bytes(prehashed) + b"\n"

    def wipe(self) -> None:
        """Overwrite the key. Safe to call twice."""
        self._secret_key.wipe()


class _LiveBuffer:
    """Stands in for the ``str`` that py-minisign's signatures ask for.

    A ``str`` of the passphrase could never be wiped. py-minisign does nothing
    with its ``password`` but ``password.encode()``, whose result goes straight
    to scrypt, which takes any buffer: so the secret's own buffer is handed
    through and no copy is made.
    """

    def __init__(self, passphrase: Secret) -> None:
        self._passphrase = passphrase

    def encode(self) -> bytearray:
        return self._passphrase.reveal()


def _as_password(passphrase: Secret) -> str:
    return cast("str", _LiveBuffer(passphrase))


def public_line(secret_key: minisign.SecretKey) -> str:
    """The public key line, with its key derived from the secret half, not merely read."""
    embedded = parse_public_key(secret_key.get_public_key().to_base64().decode("ascii"))
    private = Ed25519PrivateKey.from_private_bytes(secret_key._keynum_sk.secret_key)
    if private.public_key().public_bytes_raw() != embedded.ed25519:
        raise FormatError(
            "KEY-1/key-halves",
            "The two halves of the minisign key do not belong together.",
            "The key file is damaged; use another copy.",
        )
    return embedded.line


def _says_rehearsal(key_file: bytes) -> bool:
    return REHEARSAL_MARK.encode() in key_file.split(b"\n", 1)[0]


def _unprotected() -> PolicyRefused:
    return PolicyRefused(
        "KEY-1/unprotected",
        "The minisign key file is not protected by a passphrase.",
        "Give it one with stock minisign: minisign -C -s FILE. Then destroy the open copies.",
    )


def _too_little_memory(limits: ScryptLimits) -> CannotTell:
    need_mib = (limits.memory_bytes + _MEMORY_MARGIN_BYTES) >> 20
    return CannotTell(
        "KEY-1/memory",
        f"Opening the minisign key takes {need_mib} MiB of free memory; there is less.",
        "Close other programs, or use a machine with more memory.",
    )
