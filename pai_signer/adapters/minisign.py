"""The vault's minisign secret keys, through py-minisign (KEY-1, SIG-2).

Each key is one stock file ``KEYID.key``, encrypted at stock strength, that
stock minisign opens with the same passphrase.
"""

import os
import re
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import minisign

from pai_signer.adapters import durable
from pai_signer.adapters.minisign_secret import (
    KeyFiles,
    UnlockedKey,
    memory_available_bytes,
    public_line,
)
from pai_signer.adapters.passphrases import check_passphrase
from pai_signer.domain.minisig import (
    BLAKE2B_512_BYTES,
    MAX_FILE_BYTES,
    STOCK_LIMITS,
    ScryptLimits,
    parse_public_key,
)
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import CannotTell, FormatError, PolicyRefused, UntrustedKey

_KEY_ID: Final = re.compile(r"[0-9A-F]{1,16}", re.ASCII)


class MinisignKeyDirectory:
    """The ``MinisignKeys`` port over a directory of key files.

    ``limits`` are written to new keys and are the least that an imported key
    may have; anything but ``STOCK_LIMITS`` is for tests only. Keys of a ``rehearsal``
    say so in their file's first line, and no other vault takes them: nothing else could
    tell a minisign key of the one kind from the other (KEY-2).
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: ScryptLimits = STOCK_LIMITS,
        memory_available: Callable[[], int] = memory_available_bytes,
        rehearsal: bool = False,
    ) -> None:
        self._directory = directory
        self._files = KeyFiles(limits, memory_available, rehearsal=rehearsal)

    def generate(self, passphrase: Secret) -> str:
        """Make and store a key, then open what was stored; returns the public key line.

        Raises ``PolicyRefused`` for an empty passphrase, ``CannotTell`` without
        the memory that the limits need.
        """
        check_passphrase(passphrase)
        with minisign.KeyPair.generate().secret_key as secret_key:
            line = public_line(secret_key)
            key_file = self._files.locked(secret_key, passphrase)
        self._store(line, key_file)
        try:
            self.unlock(line, passphrase).wipe()
        except BaseException:
            self.discard(line)
            raise
        return line

    def import_key(self, key_file: bytes, passphrase: Secret) -> str:
        """Prove, then store an existing key file; returns the public key line.

        Raises ``FormatError`` for what is no key file, ``PolicyRefused`` for an
        unencrypted or weakly encrypted one and for a wrong passphrase.
        """
        check_passphrase(passphrase)
        with self._files.opened(key_file, passphrase) as secret_key:
            line = public_line(secret_key)
            # A signature over nothing of meaning, checked by the key that it should be.
            UnlockedKey(secret_key, line).sign_prehashed(bytes(BLAKE2B_512_BYTES), "proof")
        self._store(line, key_file.removesuffix(b"\n") + b"\n")
        return line

    def unlock(self, public_key: str, passphrase: Secret) -> UnlockedKey:
        """Decrypt the stored key of ``public_key``; refuses a wrong passphrase.

        The whole public key is compared: the ID is random and proves nothing.
        """
        check_passphrase(passphrase)
        secret_key = self._files.opened(self.stored(public_key), passphrase)
        try:
            return UnlockedKey(secret_key, public_key)
        except BaseException:
            secret_key.wipe()
            raise

    def stored(self, public_key: str) -> bytes:
        """The stored key file of ``public_key``, encrypted; what it holds is not looked at."""
        return self._read(self._path(public_key))

    def discard(self, public_key: str) -> None:
        """Remove the stored key: only for a generation that was never registered."""
        durable.remove(self._path(public_key))

    def stray(self, known_ids: Collection[str]) -> tuple[str, ...]:
        """IDs of stored keys that are not among ``known_ids``: a crash had left them."""
        names = (path.stem for path in self._directory.glob("*.key"))
        return tuple(
            sorted(name for name in names if name not in known_ids and _KEY_ID.fullmatch(name))
        )

    def adopt(self, key_id: str, passphrase: Secret) -> str:
        """The public key line of a stored key, opened and proved; refuses a wrong passphrase.

        For a key whose maker was killed before it could say what it had made.
        """
        check_passphrase(passphrase)
        with self._files.opened(self._read(self._stray_path(key_id)), passphrase) as secret_key:
            line = public_line(secret_key)
            UnlockedKey(secret_key, line).sign_prehashed(bytes(BLAKE2B_512_BYTES), "proof")
        if parse_public_key(line).shown_id != key_id:
            raise UntrustedKey(
                "KEY-1/other-key",
                f"The file {key_id}.key holds another key.",
                "Find out who put it into the vault before you go on.",
            )
        return line

    def discard_stray(self, key_id: str) -> None:
        """Remove a stored key of which only the ID is known."""
        durable.remove(self._stray_path(key_id))

    def _stray_path(self, key_id: str) -> Path:
        if not _KEY_ID.fullmatch(key_id):
            raise FormatError(
                "KEY-1/key-id",
                f"{safe_text(key_id, limit=80)!r} is no minisign key ID.",
                "Give it as 'key list' shows it.",
            )
        return self._directory / f"{key_id}.key"

    def _path(self, public_key: str) -> Path:
        return self._directory / f"{parse_public_key(public_key).shown_id}.key"

    def _store(self, line: str, key_file: bytes) -> None:
        path = self._path(line)
        if path.exists():
            raise PolicyRefused(
                "KEY-1/already-here",
                f"The vault already holds a minisign key with the ID {path.stem}.",
                "Nothing needs to be done if it is the same key; 'key list' shows it.",
            )
        durable.make_directory(self._directory)
        durable.create(path, key_file)

    @staticmethod
    def _read(path: Path) -> bytes:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise CannotTell(
                        "KEY-1/key-file",
                        f"The key file {path.name} is not an ordinary file.",
                        "Restore the key from a backup.",
                    )
                return file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise CannotTell(
                "KEY-1/key-file",
                f"The minisign key {path.stem} cannot be read: {error.strerror}.",
                "Check that this vault holds the key, or restore it from a backup.",
            ) from error
