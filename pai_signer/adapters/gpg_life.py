"""The later life of the vault's OpenPGP keys: expiry, revocation, certification (KEY-4, KEY-5).

Everything is done and checked in a copy in memory first. python-gnupg knows none
of these operations, so gpg is driven with ``--quick-...`` and ``--command-fd``.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pai_signer.adapters import durable
from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters import gpg_revocation as revocation
from pai_signer.adapters.gpg_copy import import_certificate, listed_signatures, working_copy
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.passphrases import certainly_wrong_passphrase, check_passphrase
from pai_signer.domain.openpgp import (
    ListedCertificate,
    ListedKey,
    expires_on,
    parse_fingerprint,
    parse_key_listing,
)
from pai_signer.domain.openpgp_certificate import merge_certificates
from pai_signer.domain.openpgp_signatures import (
    RevocationReason,
    certifies_every_user_id,
    check_revocation_text,
    newest_self_signature,
)
from pai_signer.domain.secret import Secret
from pai_signer.errors import FormatError, PolicyRefused, ToolError
from pai_signer.ports import Clock, OpenPgpKeyInfo, OpenPgpRevocation


class GpgLife:
    """The ``OpenPgpLife`` port over the home ``home``."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def extend(self, fingerprint: str, until: date, passphrase: Secret) -> OpenPgpKeyInfo:
        """Let primary and signing subkeys expire on ``until``; all of them or none (KEY-4).

        An expired key can be extended. A subkey that never expires stays so. A key
        that has the date already, in whole or in part, is completed; so the call can be
        repeated. Raises ``PolicyRefused`` for a wrong passphrase, a revoked key, a
        date that is not later, and a clock that is behind the key's own signatures.
        """
        check_passphrase(passphrase)
        fingerprint = parse_fingerprint(fingerprint)
        with vault_home(self._home) as home:
            before = commands.listed(home, fingerprint)
            self._check_changeable(home, before.primary)
            self._expiring(before, until)  # a date that is no good is refused before any work
            with working_copy(home, fingerprint) as copy:
                due = _due([before.primary], until)
                for key in due:
                    _set_expiry(copy, before.primary, key, until, passphrase)
                # Of an expired primary gpg 2.4 lists every subkey as ending with it, at the
                # latest; the subkeys' own dates are seen once the primary lives again.
                expiring = self._expiring(commands.listed(copy, fingerprint), until)
                for key in (due_later := _due(expiring, until)):
                    _set_expiry(copy, before.primary, key, until, passphrase)
                if not due and not due_later:
                    _prove_primary(copy, fingerprint, passphrase)
                certificate = self._extended(copy, fingerprint, expiring, until).certificate
            if due or due_later:
                import_certificate(home, fingerprint, certificate)
            info = self._extended(home, fingerprint, expiring, until)
            self._make_durable()
        return info

    def merged_certificate(self, certificates: Sequence[str]) -> str:
        """One armored certificate with every signature of all exports of one key (KEY-4).

        Raises ``FormatError`` for exports of different keys and for anything that is
        no certificate. The result is tried in gpg before it is returned.
        """
        merged = merge_certificates(certificates)
        with throwaway_home(for_secrets=False) as home:
            home.run(["--import"], stdin=merged.encode("ascii"))
            listing = home.run(["--with-colons", "--list-keys"]).stdout
        if len(parse_key_listing(listing)) != 1:
            raise FormatError(
                "KEY-4/merged",
                "gpg does not read the merged certificate as one OpenPGP key.",
                "Check that each certificate is one that gpg exported.",
            )
        return merged

    def make_revocation(
        self, fingerprint: str, reason: RevocationReason, text: str, passphrase: Secret
    ) -> OpenPgpRevocation:
        """Make a revocation dated now; the key itself stays as it is (KEY-1, KEY-5).

        ``text`` is published with it. What gpg made is tried in a home of its own:
        one good revocation, of this key, with this reason and text.
        """
        check_passphrase(passphrase)
        check_revocation_text(text)
        fingerprint = parse_fingerprint(fingerprint)
        with vault_home(self._home) as home:
            self._check_has_primary(home, commands.listed(home, fingerprint).primary)
            return revocation.make(home, fingerprint, reason, text, passphrase, self._clock)

    def check_revocation(self, fingerprint: str, block: bytes) -> OpenPgpRevocation:
        """What this revocation would do to this key; nothing is changed.

        ``block`` is armored. Raises ``FormatError`` for any other content
        and for a revocation of another key, ``PolicyRefused`` for one dated in the future.
        """
        with vault_home(self._home) as home:
            return revocation.judge(home, parse_fingerprint(fingerprint), block, self._clock.now())

    def apply_revocation(self, fingerprint: str, block: bytes) -> OpenPgpRevocation:
        """Revoke the key in the vault; twice is once. There is no way back (KEY-5)."""
        fingerprint = parse_fingerprint(fingerprint)
        with vault_home(self._home) as home:
            applied = revocation.apply(home, fingerprint, block, self._clock.now())
            self._make_durable()
        return applied

    def cross_certify(
        self, certifier_fingerprint: str, certifier_passphrase: Secret, subject_fingerprint: str
    ) -> str:
        """The certificate of the subject, its user IDs certified by the certifier (KEY-4).

        Made in a copy: the vault's own certificate stays as it was, so that nothing is left
        of a certification that never gets registered. Publish it merged with every earlier
        certificate. Raises ``PolicyRefused`` where one of the keys is expired or revoked.
        """
        check_passphrase(certifier_passphrase)
        certifier = parse_fingerprint(certifier_fingerprint)
        subject = parse_fingerprint(subject_fingerprint)
        if certifier == subject:
            raise PolicyRefused(
                "KEY-4/same-key",
                "A key cannot vouch for itself.",
                "Name the old key and the new one.",
            )
        with vault_home(self._home) as home:
            self._check_usable(home, commands.listed(home, certifier).primary)
            self._check_usable(home, commands.listed(home, subject).primary)
            with working_copy(home, certifier, subject) as copy:
                # "!": exactly this key, never a fallback to another secret key.
                arguments = ["--yes", "--local-user", f"{certifier}!", "--quick-sign-key", subject]
                finished = copy.run(arguments, passphrase=certifier_passphrase)
                commands.check_finished(finished, "certify the key")
                _check_certified(copy, subject, certifier)
                return commands.public_certificate(copy, subject)

    def prove_primary(self, fingerprint: str, passphrase: Secret) -> None:
        """Use the primary secret key without leaving a trace in the vault (CUS-2).

        A wrong passphrase must fail first: a key that any passphrase opens is refused.
        """
        check_passphrase(passphrase)
        fingerprint = parse_fingerprint(fingerprint)
        with vault_home(self._home) as home:
            self._check_usable(home, commands.listed(home, fingerprint).primary)
            with working_copy(home, fingerprint) as copy:
                _prove_primary(copy, fingerprint, passphrase)

    def _extended(
        self, home: GpgHome, fingerprint: str, expiring: Sequence[ListedKey], until: date
    ) -> OpenPgpKeyInfo:
        """The key as it is now, once every date has been asserted."""
        certificate = commands.listed(home, fingerprint)
        wanted = {key.fingerprint for key in expiring}
        keys = [certificate.primary, *certificate.subkeys]
        reached = {key.fingerprint for key in keys if expires_on(key.expires_at, until)}
        signing_key = certificate.signing_key(self._clock.now())
        if not wanted <= reached or signing_key is None or not certificate.user_ids:
            raise ToolError(
                "KEY-4/expiry",
                f"gpg did not set every expiry date of the key to {until}.",
                "Give a nearer date, check the clock, and try again.",
            )
        expiries = [k.expires_at for k in (certificate.primary, signing_key) if k.expires_at]
        return OpenPgpKeyInfo(
            fingerprint=fingerprint,
            signing_fingerprint=signing_key.fingerprint,
            user_id=certificate.user_ids[0],
            algorithm=signing_key.algorithm,
            created_at=certificate.primary.created_at,
            expires_at=min(expiries, default=None),
            certificate=commands.public_certificate(home, fingerprint),
        )

    def _check_has_primary(self, home: GpgHome, primary: ListedKey) -> None:
        """The primary secret key is here, and the clock is not behind what it signed."""
        if primary.token.startswith("#"):
            raise PolicyRefused(
                "KEY-1/primary-missing",
                "The vault holds subkeys only of this key; its primary secret key is missing.",
                "Restore the whole key from a backup.",
            )
        newest = newest_self_signature(
            listed_signatures(home, primary.fingerprint), primary.fingerprint
        )
        last = max(newest or primary.created_at, primary.created_at)
        # A signature dated into the future makes the key's expiry unsettable until then.
        if last > self._clock.now():
            raise PolicyRefused(
                "POL-8/before-key",
                f"The OpenPGP key was last signed by itself on {last:%Y-%m-%d %H:%M:%S} UTC, "
                "which this machine's clock has not reached.",
                "Set the clock right. If it is right, the key was once used under a clock "
                "that was ahead, and has to wait for that day or be replaced.",
            )

    def _check_changeable(self, home: GpgHome, primary: ListedKey) -> None:
        if primary.validity.startswith("r"):
            raise PolicyRefused(
                "POL-6/revoked",
                f"The OpenPGP key {primary.fingerprint} was revoked.",
                "Use its successor.",
            )
        self._check_has_primary(home, primary)

    def _check_usable(self, home: GpgHome, primary: ListedKey) -> None:
        self._check_changeable(home, primary)
        if not primary.usable_at(self._clock.now()):
            raise PolicyRefused(
                "POL-6/expired",
                f"The OpenPGP key {primary.fingerprint} has expired or is not valid.",
                "Check this machine's clock; if it is right, extend the key first.",
            )

    def _expiring(self, certificate: ListedCertificate, until: date) -> list[ListedKey]:
        """The keys whose expiry is set: primary and signing subkeys that have one at all.

        Refuses a date that would shorten a life.
        """
        primary, subkeys = certificate.primary, certificate.subkeys
        signing = [k for k in subkeys if "s" in k.flags and k.validity[:1] not in {"r", "i", "d"}]
        if not signing and "s" not in primary.flags:
            raise PolicyRefused(
                "KEY-1/no-signing-key",
                f"The OpenPGP key {primary.fingerprint} cannot sign.",
                "Use a key that has a signing subkey.",
            )
        expiring = [k for k in (primary, *signing) if k.expires_at is not None]
        if not expiring:
            raise PolicyRefused(
                "KEY-4/never-expires",
                f"The OpenPGP key {primary.fingerprint} never expires; a date would shorten "
                "its life.",
                "Nothing needs to be done.",
            )
        latest = max(k.expires_at.date() for k in expiring if k.expires_at is not None)
        if until < latest or until <= self._clock.now().date():
            raise PolicyRefused(
                "KEY-4/not-later",
                f"The date {until} is not later than today and than the key's expiry, {latest}.",
                "Give a later date, and check this machine's clock.",
            )
        return expiring

    def _make_durable(self) -> None:
        """Flush what gpg wrote: it does not fsync."""
        with durable.held_directory(self._home) as folder:
            durable.sync_filesystem(folder)


def _due(keys: Sequence[ListedKey], until: date) -> list[ListedKey]:
    """Those that have an expiry, and another one than ``until``."""
    return [k for k in keys if k.expires_at is not None and not expires_on(k.expires_at, until)]


def _set_expiry(
    home: GpgHome, primary: ListedKey, key: ListedKey, until: date, passphrase: Secret
) -> None:
    # By fingerprint: "*" would skip expired subkeys and shorten those that never expire, and
    # no list of subkeys ever includes the primary.
    subkey = [] if key.is_primary else [key.fingerprint]
    arguments = ["--quick-set-expire", primary.fingerprint, until.isoformat(), *subkey]
    commands.check_finished(home.run(arguments, passphrase=passphrase), "extend the key")


def _prove_primary(copy: GpgHome, fingerprint: str, passphrase: Secret) -> None:
    """Certify a user ID that nobody will see: for copies only."""
    arguments = ["--quick-add-uid", fingerprint, "proof of possession"]
    with certainly_wrong_passphrase() as wrong:
        commands.expect_wrong_passphrase(copy.run(arguments, passphrase=wrong))
    commands.check_finished(copy.run(arguments, passphrase=passphrase), "use the primary key")


def _check_certified(home: GpgHome, subject: str, certifier: str) -> None:
    if not certifies_every_user_id(listed_signatures(home, subject), certifier):
        raise ToolError(
            "KEY-4/not-certified",
            f"gpg did not certify the OpenPGP key {subject}.",
            "Check the installation of gpg, and try again.",
        )
