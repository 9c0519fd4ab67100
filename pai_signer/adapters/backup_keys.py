"""The vault's keys for custodians' media, and proofs by the keys on them (CUS-1, CUS-2)."""

from pai_signer.adapters.minisign_backup import MinisignBackups
from pai_signer.domain.secret import Secret


class VaultBackupKeys:
    """The ``BackupKeys`` port: the minisign part and the OpenPGP part in one."""

    def __init__(self, minisign: MinisignBackups) -> None:
        self._minisign = minisign

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
