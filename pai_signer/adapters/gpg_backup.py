"""The vault's OpenPGP keys under a custodian's passphrase, for stock gpg to restore (CUS-1).

``gpg --change-passphrase`` asks for the old and the new passphrase of each part, and tells
nobody which it asks for. It keeps both in its agent for the next part, for less than a
second with our zero cache times: so a subkey could end under the *old* passphrase, and
gpg says SUCCESS. Therefore each part is changed alone, with no other secret in the home.
"""

import secrets
from pathlib import Path
from typing import Final

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters import gpg_proof
from pai_signer.adapters.gpg_copy import secret_key_files, working_copy
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.passphrases import (
    certainly_wrong_passphrase,
    check_own_passphrase,
    check_passphrase,
    wrong_passphrase,
)
from pai_signer.domain import openpgp_secret
from pai_signer.domain.openpgp import parse_fingerprint, parse_keygrips
from pai_signer.domain.openpgp_secret import parse_secret_key, symmetric_salt
from pai_signer.domain.openpgp_status import GPG_BAD_PASSPHRASE, failure_codes, parse_status
from pai_signer.domain.secret import Secret, joined_lines
from pai_signer.errors import FormatError, PolicyRefused, ToolError
from pai_signer.ports import Clock

#: More than all revocations that a key can have.
MAX_DATA_BYTES: Final = 1 << 20

#: Compressed: on paper a kilobyte is two pages more, and a tar archive is mostly padding.
_SYMMETRIC: Final = (
    *("--symmetric", "--cipher-algo", "AES256", "--compress-algo", "zip"),
    *("--s2k-mode", "3", "--s2k-cipher-algo", "AES256", "--s2k-digest-algo", "SHA512"),
)


class OpenPgpBackups:
    """The OpenPGP half of ``BackupKeys`` over the vault's home ``home``."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def wrap(self, fingerprint: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """The armored export of the whole key under ``new_passphrase``; the vault stays.

        The export is restored and proved: in every part the old passphrase must fail and
        the new one must work. Raises ``PolicyRefused`` for a wrong passphrase and for a
        key that is not whole, expired or revoked.
        """
        check_own_passphrase(passphrase, new_passphrase)
        fingerprint = parse_fingerprint(fingerprint)
        with vault_home(self._home) as home:
            if not commands.listed(home, fingerprint).has_every_secret:
                raise PolicyRefused(
                    "KEY-1/primary-missing",
                    "The vault does not hold every secret part of this OpenPGP key.",
                    "Restore the whole key from a backup before you make another one.",
                )
            certificate = commands.public_certificate(home, fingerprint)
            with working_copy(home, fingerprint) as copy:
                _change_passphrase(copy, fingerprint, passphrase, new_passphrase)
                secret_key = _exported(copy, fingerprint, new_passphrase)
        challenge = f"proof of a new copy {secrets.token_hex(32)}\n".encode("ascii")
        backup = gpg_proof.BackupKey(secret_key, fingerprint, certificate)
        gpg_proof.prove(backup, new_passphrase, passphrase, challenge, self._clock)
        return secret_key

    def prove(
        self,
        secret_key: bytes,
        certificate: str,
        fingerprint: str,
        passphrase: Secret,
        challenge: bytes,
        beside: str | None = None,
    ) -> tuple[bytes, ...]:
        """See ``gpg_proof.prove``; a random passphrase must fail first."""
        check_passphrase(passphrase)
        backup = gpg_proof.BackupKey(
            secret_key, parse_fingerprint(fingerprint), certificate, beside
        )
        with certainly_wrong_passphrase() as wrong:
            return gpg_proof.prove(backup, passphrase, wrong, challenge, self._clock)

    def encrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """``data`` under ``passphrase`` alone: AES-256, SHA-512, the strongest count (CUS-1).

        Stock ``gpg --decrypt`` opens it. It is decrypted again before it is returned.
        """
        check_passphrase(passphrase)
        with throwaway_home(for_secrets=True) as home:
            count = ("--s2k-count", str(openpgp_secret.S2K_COUNT_BYTES))
            finished = home.run(
                [*_SYMMETRIC, *count, "--output", "-"], stdin=data, passphrase=passphrase
            )
            commands.check_finished(finished, "encrypt")
            symmetric_salt(finished.stdout)
            with certainly_wrong_passphrase() as wrong:
                try:
                    _decrypted(home, finished.stdout, wrong)
                except PolicyRefused:
                    pass
                else:
                    raise commands.unprotected()
            if _decrypted(home, finished.stdout, passphrase) != data:
                raise ToolError(
                    "CUS-1/encryption",
                    "gpg does not give back what it encrypted.",
                    "It was thrown away. Check the installation of gpg.",
                )
        return finished.stdout

    def decrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """What ``encrypt`` encrypted; ``PolicyRefused`` for a wrong passphrase.

        Raises ``FormatError`` for anything else, and for what was changed since.
        """
        check_passphrase(passphrase)
        if len(data) > 2 * MAX_DATA_BYTES:
            raise FormatError(
                "CUS-2/too-large",
                "The encrypted file is larger than any that a backup holds.",
                "Use another copy.",
            )
        symmetric_salt(data)
        with throwaway_home(for_secrets=True) as home:
            return _decrypted(home, data, passphrase)


def _change_passphrase(
    copy: GpgHome, fingerprint: str, passphrase: Secret, new_passphrase: Secret
) -> None:
    """Change every part in ``copy``, which afterwards holds no other secret."""
    listing = copy.run(["--with-colons", "--list-secret-keys", fingerprint])
    commands.check_finished(listing, "list keys")
    wanted = {f"{grip}.key" for grip in parse_keygrips(listing.stdout)}
    files = secret_key_files(copy)
    parts = [path for path in files if path.name in wanted]
    for path in files:
        path.unlink()
    changed = {}
    for path in parts:
        path.write_bytes(files[path])
        with certainly_wrong_passphrase() as wrong:
            _answer(copy, fingerprint, wrong, new_passphrase)
        if path.read_bytes() != files[path]:
            raise commands.unprotected()
        _answer(copy, fingerprint, passphrase, new_passphrase)
        changed[path] = path.read_bytes()
        if changed[path] == files[path]:
            raise wrong_passphrase("the OpenPGP key")
        path.unlink()
    for path, content in changed.items():
        path.write_bytes(content)


def _answer(copy: GpgHome, fingerprint: str, old: Secret, new: Secret) -> None:
    """Answer gpg's two questions, old and new; whether it worked, only the file tells.

    Its status speaks of the parts whose secrets are not here as well.
    """
    with joined_lines(old, new) as answers:
        copy.run(["--change-passphrase", fingerprint], answers=answers)


def _exported(copy: GpgHome, fingerprint: str, passphrase: Secret) -> bytes:
    arguments = ["--armor", "--export-secret-keys", fingerprint]
    finished = copy.run(arguments, passphrase=passphrase)
    commands.check_finished(finished, "export the key")
    export = parse_secret_key(finished.stdout)
    keys = commands.listed(copy, fingerprint).keys
    if {part.fingerprint for part in export.parts} != {key.fingerprint for key in keys}:
        raise ToolError(
            "CUS-1/export",
            "gpg did not export every part of the OpenPGP key.",
            "It was thrown away. Check the installation of gpg.",
        )
    return finished.stdout


def _decrypted(home: GpgHome, data: bytes, passphrase: Secret) -> bytes:
    finished = home.run(["--decrypt", "--output", "-"], stdin=data, passphrase=passphrase)
    status = parse_status(finished.status)
    said = {line.keyword for line in status}
    if {"DECRYPTION_OKAY", "GOODMDC"} <= said and "DECRYPTION_FAILED" not in said:
        return finished.stdout
    if "BADMDC" not in said and GPG_BAD_PASSPHRASE in failure_codes(status):
        raise wrong_passphrase("the encrypted file")
    raise FormatError(
        "CUS-2/damaged-file",
        "The encrypted file was changed since it was made, or is not whole.",
        "Use another copy.",
    )
