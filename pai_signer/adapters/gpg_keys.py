"""The vault's OpenPGP secret keys, in its own GNUPGHOME (KEY-1, SIG-3).

gpg is driven through ``process.run`` wherever a passphrase is involved; the
passphrase travels through a pipe of its own. python-gnupg, which would need it
as a ``str``, only exports public certificates here.
"""

import secrets
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Final

from pai_signer.adapters import durable
from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_copy import bring_new_key, import_certificate
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.passphrases import (
    WRONG_PASSPHRASE,
    certainly_wrong_passphrase,
    check_passphrase,
)
from pai_signer.domain.openpgp import (
    ListedCertificate,
    ListedKey,
    check_user_id,
    expires_on,
    parse_fingerprint,
)
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused, ToolError
from pai_signer.ports import Clock, OpenPgpKeyInfo

_ALGORITHM: Final = "ed25519"


class GpgKeys:
    """The ``OpenPgpKeys`` port over the home ``home``."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def generate(self, user_id: str, valid_until: date, passphrase: Secret) -> OpenPgpKeyInfo:
        """An Ed25519 primary that only certifies, with an Ed25519 signing subkey (KEY-1).

        Both expire on ``valid_until`` (at 12:00 UTC, as gpg reads a date), which is
        asserted. It is made in memory and enters the vault when it is whole. A key that
        cannot be proved there is removed again; of one that a crash left, ``is_whole`` tells.
        """
        check_passphrase(passphrase)
        check_user_id(user_id)
        if valid_until <= self._clock.now().date():
            raise PolicyRefused(
                "KEY-1/valid-until",
                f"A key that is valid until {valid_until} would have expired already.",
                "Give a date in the future, and check this machine's clock.",
            )
        expiry = valid_until.isoformat()
        with vault_home(self._home) as home, throwaway_home(for_secrets=True) as copy:
            arguments = ["--yes", "--quick-gen-key", "--", user_id, _ALGORITHM, "cert", expiry]
            fingerprint = commands.created_fingerprint(copy.run(arguments, passphrase=passphrase))
            self._add_signing_subkey(copy, fingerprint, expiry, passphrase)
            _check_generated(commands.listed(copy, fingerprint), valid_until)
            try:
                bring_new_key(copy, home, fingerprint, self._home)
                certificate = commands.listed(home, fingerprint)
                self._prove(home, certificate, passphrase)
                info = self._info(home, certificate)
            except BaseException:
                commands.remove(home, fingerprint)
                raise
            self._make_durable()
        return info

    def import_key(
        self, key_file: bytes, passphrase: Secret, certificate: str | None = None
    ) -> OpenPgpKeyInfo:
        """Import one secret key and prove by signing that the passphrase opens it.

        gpg imports with any passphrase. So the key is first tried in a throwaway
        home in memory: primary and signing key must each refuse a wrong passphrase
        and take this one. Only then does it enter the vault. ``certificate`` is imported
        beside it: an old export may restore as expired (CUS-4).
        """
        check_passphrase(passphrase)
        with throwaway_home(for_secrets=True) as home:
            fingerprint = commands.only_secret_key(home, key_file)
            commands.import_secret_key(home, key_file, fingerprint, passphrase)
            if certificate is not None:
                import_certificate(home, fingerprint, certificate)
            self._prove_primary(home, fingerprint, passphrase)
            self._prove(home, commands.listed(home, fingerprint), passphrase)
        with vault_home(self._home) as home:
            if commands.find(home, fingerprint) is not None:
                raise PolicyRefused(
                    "KEY-1/already-here",
                    f"The vault already holds the OpenPGP key {fingerprint}.",
                    "Nothing needs to be done; 'key list' shows it.",
                )
            try:
                commands.import_secret_key(home, key_file, fingerprint, passphrase)
                if certificate is not None:
                    import_certificate(home, fingerprint, certificate)
                imported = commands.listed(home, fingerprint)
                self._prove(home, imported, passphrase)
                info = self._info(home, imported)
            except BaseException:
                commands.remove(home, fingerprint)
                raise
            self._make_durable()
        return info

    def prove(self, fingerprint: str, passphrase: Secret) -> None:
        """Sign a throwaway challenge; raises on a wrong passphrase."""
        check_passphrase(passphrase)
        with vault_home(self._home) as home:
            self._prove(home, commands.listed(home, parse_fingerprint(fingerprint)), passphrase)

    def sign_detached(self, data: bytes, fingerprint: str, passphrase: Secret) -> bytes:
        """An armored detached signature by the signing (sub)key of ``fingerprint``.

        Raises ``PolicyRefused`` for a wrong passphrase and for an expired, revoked
        or not yet valid key, ``CannotTell`` where the key or gpg is missing.
        """
        check_passphrase(passphrase)
        with vault_home(self._home) as home:
            certificate = commands.listed(home, parse_fingerprint(fingerprint))
            return commands.sign(home, self._signing_key(certificate), data, passphrase)

    def discard(self, fingerprint: str) -> None:
        """Remove the key, whole or not: only for a generation that was never registered."""
        with vault_home(self._home) as home:
            commands.remove(home, parse_fingerprint(fingerprint))
            self._make_durable()

    def stray(self, known: Collection[str]) -> tuple[str, ...]:
        """Fingerprints of keys that are not ``known``, whole or not: a crash had left them."""
        with vault_home(self._home) as home:
            return tuple(sorted(commands.fingerprints(home) - set(known)))

    def is_whole(self, fingerprint: str) -> bool:
        """Whether every secret part of the key is here, the signing one among them."""
        with vault_home(self._home) as home:
            certificate = commands.find(home, parse_fingerprint(fingerprint))
        return certificate is not None and certificate.has_every_secret

    def adopt(self, fingerprint: str, passphrase: Secret) -> OpenPgpKeyInfo:
        """The facts of a key that is here, proved; refuses a wrong passphrase.

        For a key whose maker was killed before it could say what it had made.
        """
        check_passphrase(passphrase)
        with vault_home(self._home) as home:
            certificate = commands.listed(home, parse_fingerprint(fingerprint))
            self._prove(home, certificate, passphrase)
            return self._info(home, certificate)

    def _add_signing_subkey(
        self, home: GpgHome, fingerprint: str, expiry: str, passphrase: Secret
    ) -> None:
        # The primary must refuse a wrong passphrase. Asked by a change that changes nothing:
        # --quick-add-key would leave its new key behind when it fails.
        with certainly_wrong_passphrase() as wrong:
            commands.expect_wrong_passphrase(
                home.run(["--quick-set-expire", fingerprint, expiry], passphrase=wrong)
            )
        arguments = ["--quick-add-key", fingerprint, _ALGORITHM, "sign", expiry]
        commands.created_fingerprint(home.run(arguments, passphrase=passphrase))

    def _prove_primary(self, home: GpgHome, fingerprint: str, passphrase: Secret) -> None:
        """Certify a user ID that nobody will see: for throwaway homes only."""
        primary = commands.listed(home, fingerprint).primary
        if primary.token.startswith("#"):
            raise PolicyRefused(
                "KEY-1/primary-missing",
                "The key file holds subkeys only; its primary secret key is missing.",
                "Export the whole key where it was made: gpg --export-secret-keys FINGERPRINT",
            )
        self._check_usable(primary)
        arguments = ["--quick-add-uid", fingerprint, "proof of possession"]
        with certainly_wrong_passphrase() as wrong:
            commands.expect_wrong_passphrase(home.run(arguments, passphrase=wrong))
        commands.check_finished(home.run(arguments, passphrase=passphrase), "use the primary key")

    def _prove(self, home: GpgHome, certificate: ListedCertificate, passphrase: Secret) -> None:
        """A wrong passphrase must fail, this one must sign, and the signature must verify."""
        signing_key = self._signing_key(certificate)
        challenge = f"proof of possession {secrets.token_hex(32)}\n".encode("ascii")
        with certainly_wrong_passphrase() as wrong:
            try:
                commands.sign(home, signing_key, challenge, wrong)
            except PolicyRefused as error:
                if error.code != WRONG_PASSPHRASE:
                    raise
            else:
                raise commands.unprotected()
        signature = commands.sign(home, signing_key, challenge, passphrase)
        fingerprint = certificate.primary.fingerprint
        GpgVerifier(self._clock).verify_detached(
            challenge, signature, [commands.public_certificate(home, fingerprint)], [fingerprint]
        )

    def _signing_key(self, certificate: ListedCertificate) -> ListedKey:
        self._check_usable(certificate.primary)
        key = certificate.signing_key(self._clock.now())
        if key is None:
            for subkey in certificate.subkeys:
                if "s" in subkey.flags:
                    self._check_usable(subkey)
            raise PolicyRefused(
                "KEY-1/no-signing-key",
                f"The OpenPGP key {certificate.primary.fingerprint} cannot sign.",
                "Use a key that has a signing subkey.",
            )
        self._check_usable(key)
        return key

    def _check_usable(self, key: ListedKey) -> None:
        now = self._clock.now()
        if key.validity.startswith("r"):
            raise PolicyRefused(
                "POL-6/revoked",
                f"The OpenPGP key {key.fingerprint} was revoked.",
                "Sign with its successor.",
            )
        if key.created_at > now:
            raise PolicyRefused(
                "POL-8/before-key",
                f"The OpenPGP key {key.fingerprint} was made on {key.created_at:%Y-%m-%d}, "
                "which this machine's clock has not reached.",
                "Set the clock right.",
            )
        if not key.usable_at(now):
            raise PolicyRefused(
                "POL-6/expired",
                f"The OpenPGP key {key.fingerprint} has expired or is not valid.",
                "Check this machine's clock; if it is right, extend the key first.",
            )

    def _info(self, home: GpgHome, certificate: ListedCertificate) -> OpenPgpKeyInfo:
        primary = certificate.primary
        signing_key = self._signing_key(certificate)
        expiries = [k.expires_at for k in (primary, signing_key) if k.expires_at is not None]
        if not certificate.user_ids:
            raise PolicyRefused(
                "KEY-1/user-id",
                f"The OpenPGP key {primary.fingerprint} has no valid user ID.",
                "Use a key that names its owner.",
            )
        return OpenPgpKeyInfo(
            fingerprint=primary.fingerprint,
            signing_fingerprint=signing_key.fingerprint,
            user_id=certificate.user_ids[0],
            algorithm=signing_key.algorithm,
            created_at=primary.created_at,
            # The key is of use until the first of its two parts expires.
            expires_at=min(expiries, default=None),
            certificate=commands.public_certificate(home, primary.fingerprint),
        )

    def _make_durable(self) -> None:
        """Flush what gpg and its agent wrote: they do not fsync."""
        with durable.held_directory(self._home) as folder:
            durable.sync_filesystem(folder)


def _check_generated(certificate: ListedCertificate, valid_until: date) -> None:
    keys = (certificate.primary, *certificate.subkeys)
    if [key.flags for key in keys] != ["c", "s"] or any(k.algorithm != _ALGORITHM for k in keys):
        raise ToolError(
            "KEY-1/not-as-asked",
            "gpg made another kind of key than it was asked for.",
            "The key was removed again. Use the GnuPG of Debian 12 or newer.",
        )
    if not all(expires_on(key.expires_at, valid_until) for key in keys):
        raise ToolError(
            "KEY-1/expiry",
            f"gpg made a key that does not expire on {valid_until}.",
            "The key was removed again. Give a nearer date, and check the clock.",
        )
