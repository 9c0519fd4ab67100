"""The vault's keys for custodians' media, and proofs by the keys on them (CUS-1, CUS-2)."""

from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.minisign_backup import MinisignBackups
from pai_signer.domain.secret import Secret


class VaultBackupKeys:
    """The ``BackupKeys`` port: the minisign part and the OpenPGP part in one."""

    def __init__(self, minisign: MinisignBackups, openpgp: OpenPgpBackups) -> None:
        self._minisign = minisign
        self._openpgp = openpgp

    def wrap_minisign(self, public_key: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """See ``MinisignBackups.wrap``."""
        return self._minisign.wrap(public_key, passphrase, new_passphrase)

    def prove_minisign(
        self,
        key_file: bytes,
        passphrase: Secret,
        public_key: str,
        challenge: bytes,
        trusted_comment: str,
    ) -> bytes:
        """See ``MinisignBackups.prove``."""
        return self._minisign.prove(key_file, passphrase, public_key, challenge, trusted_comment)

    def wrap_openpgp(self, fingerprint: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """See ``OpenPgpBackups.wrap``."""
        return self._openpgp.wrap(fingerprint, passphrase, new_passphrase)

    def prove_openpgp(
        self,
        secret_key: bytes,
        certificate: str,
        fingerprint: str,
        passphrase: Secret,
        challenge: bytes,
        *,
        beside: str | None = None,
    ) -> tuple[bytes, ...]:
        """See ``OpenPgpBackups.prove``."""
        return self._openpgp.prove(
            secret_key, certificate, fingerprint, passphrase, challenge, beside
        )

    def encrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """See ``OpenPgpBackups.encrypt``."""
        return self._openpgp.encrypt(data, passphrase)

    def decrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """See ``OpenPgpBackups.decrypt``."""
        return self._openpgp.decrypt(data, passphrase)
