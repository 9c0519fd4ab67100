"""Copies of the vault's minisign keys for custodians, and the proof of a copy (CUS-1, CUS-2).

Nothing is written anywhere here: a copy is bytes for a medium, and a key from a medium is
opened in memory alone.
"""

import hashlib
from collections.abc import Callable

from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.minisign_secret import KeyFiles, UnlockedKey
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.adapters.passphrases import (
    WRONG_PASSPHRASE,
    certainly_wrong_passphrase,
    check_own_passphrase,
    check_passphrase,
)
from pai_signer.domain.minisig import BLAKE2B_512_BYTES, secret_key_salt
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, CannotTell, PolicyRefused

#: A signature over nothing of meaning, thrown away.
_NOTHING = bytes(BLAKE2B_512_BYTES)


class MinisignBackups:
    """The minisign half of ``BackupKeys``: ``keys`` are the vault's, ``files`` how files open."""

    def __init__(self, keys: MinisignKeyDirectory, files: KeyFiles) -> None:
        self._keys = keys
        self._files = files

    def wrap(self, public_key: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """The stock key file of ``public_key`` under ``new_passphrase``, with a fresh salt.

        Key ID and public key stay. The file is opened again: the old passphrase must not
        open it, the new one must, and what it opens must sign. The vault stays as it is.
        Raises ``PolicyRefused`` for a wrong passphrase, ``UntrustedKey`` where the vault
        holds another key under this ID, ``CannotTell`` without the memory.
        """
        check_own_passphrase(passphrase, new_passphrase)
        stored = self._keys.stored(public_key)
        with self._files.opened(stored, passphrase) as secret_key:
            UnlockedKey(secret_key, public_key).sign_prehashed(_NOTHING, "proof")
            wrapped = self._files.locked(secret_key, new_passphrase)
        if secret_key_salt(wrapped) == secret_key_salt(stored):
            raise CannotTell(
                "CUS-1/salt",
                "The new key file was not written with a salt of its own.",
                "Do not use it. Check the py-minisign library of this installation.",
            )
        self._expect_refused(wrapped, passphrase)
        with self._files.opened(wrapped, new_passphrase) as secret_key:
            UnlockedKey(secret_key, public_key).sign_prehashed(_NOTHING, "proof")
        return wrapped

    def prove(
        self,
        key_file: bytes,
        passphrase: Secret,
        public_key: str,
        challenge: bytes,
        trusted_comment: str,
    ) -> bytes:
        """The ``.minisig`` of ``challenge`` by the key in ``key_file``: ``public_key``'s.

        A wrong passphrase must fail first. Raises ``PolicyRefused`` for a wrong passphrase
        and for a file that is open or weakly encrypted, ``UntrustedKey`` for another key,
        ``FormatError`` for what is no key file, ``BadSignature``, ``CannotTell``. A damaged
        key cannot be told from a wrong passphrase here: only the copy's digest tells.
        """
        check_passphrase(passphrase)
        with certainly_wrong_passphrase() as wrong:
            self._expect_refused(key_file, wrong)
        digest = hashlib.blake2b(challenge).digest()
        with self._files.opened(key_file, passphrase) as secret_key:
            signature = UnlockedKey(secret_key, public_key).sign_prehashed(digest, trusted_comment)
        if CryptographyMinisignVerifier().verify(signature, digest, public_key) != trusted_comment:
            raise BadSignature(
                "CUS-2/comment",
                "The proof does not carry the trusted comment that it was made with.",
                "Do not count it. Check this machine's memory.",
            )
        return signature

    def _expect_refused(self, key_file: bytes, wrong: Secret) -> None:
        _expect_wrong_passphrase(lambda: self._files.opened(key_file, wrong).wipe())


def _expect_wrong_passphrase(opens: Callable[[], None]) -> None:
    try:
        opens()
    except PolicyRefused as error:
        if error.code == WRONG_PASSPHRASE:
            return
        raise
    raise PolicyRefused(
        "KEY-1/unprotected",
        "The minisign key file opens with a passphrase that it should refuse.",
        "Do not use it: make the backup anew, and destroy this one.",
    )
