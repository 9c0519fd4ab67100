"""Proof of possession by an OpenPGP secret key export (CUS-2).

Importing proves nothing: gpg takes a damaged key and one under another passphrase with
success. A primary key can be damaged while its subkey is whole, and the other way round.
So every part is used, in a home in memory, and what it made is verified against the
certificate of the registry. A second home gets what the medium holds and nothing else:
could gpg use the key as it would be restored today?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_copy import import_certificate, listed_public, listed_signatures
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.passphrases import WRONG_PASSPHRASE, wrong_passphrase
from pai_signer.domain.openpgp import ListedCertificate, ListedKey
from pai_signer.domain.openpgp_secret import SecretKeyExport, parse_secret_key
from pai_signer.domain.openpgp_signatures import count_certifications
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    UntrustedKey,
)
from pai_signer.ports import Clock

#: The code of the refusal of a key that is right, but does not restore as it is today.
STALE: Final = "CUS-2/stale"


@dataclass(frozen=True)
class BackupKey:
    """A secret key export, and the key that it should be.

    ``certificate`` is the registry's; ``beside`` the public certificate that lies with the
    export, if one does.
    """

    secret_key: bytes
    fingerprint: str
    certificate: str
    beside: str | None = None


def prove(
    backup: BackupKey, passphrase: Secret, wrong: Secret, challenge: bytes, clock: Clock
) -> tuple[bytes, ...]:
    """Signatures of ``challenge`` by each signing key, once every part was used.

    ``wrong`` is a passphrase that must open none of them. Raises ``FormatError`` for what
    is damaged, ``UntrustedKey`` for another key, ``PolicyRefused`` for a wrong passphrase,
    for an open or weak protection (see ``parse_secret_key``), for a registered key that is
    itself expired or revoked, and with the code ``STALE`` for a right key that gpg could not
    use as it would be restored from here alone.
    """
    export = parse_secret_key(backup.secret_key)
    if export.fingerprint != backup.fingerprint:
        raise UntrustedKey(
            "CUS-2/other-key",
            f"The file holds the OpenPGP key {export.fingerprint}, not {backup.fingerprint}.",
            "It is a backup of another key; look for the right medium.",
        )
    with throwaway_home(for_secrets=True) as home:
        import_certificate(home, backup.fingerprint, backup.certificate)
        registered = listed_public(home, backup.fingerprint)
        signing = _signing_keys(registered, clock)
        _check_parts(export, registered, signing)
        commands.import_secret_key(home, backup.secret_key, backup.fingerprint, passphrase)
        signatures = _use_every_part(home, registered, signing, challenge, passphrase, wrong)
        _check_all_open(home, export, passphrase)
    for key, signature in zip(signing, signatures, strict=True):
        signed_by = GpgVerifier(clock).verify_detached(
            challenge, signature, [backup.certificate], [backup.fingerprint]
        )
        if signed_by.signing_fingerprint != key.fingerprint:
            raise BadSignature(
                "CUS-2/other-part",
                f"A proof is not by the part of the key that made it, {key.fingerprint}.",
                "Do not count it. Check the installation of gpg.",
            )
    _check_restores(backup, signing, challenge, passphrase, clock)
    return signatures


def _signing_keys(registered: ListedCertificate, clock: Clock) -> tuple[ListedKey, ...]:
    """The parts that can sign today, by the registry's certificate; the primary must live too."""
    now = clock.now()
    if registered.primary.validity.startswith("r"):
        raise PolicyRefused(
            "POL-6/revoked",
            f"The OpenPGP key {registered.primary.fingerprint} was revoked.",
            "There is nothing left to prove; prove its successor.",
        )
    signing = tuple(k for k in registered.keys if "s" in k.flags and k.usable_at(now))
    if not registered.primary.usable_at(now) or not signing:
        raise PolicyRefused(
            "POL-6/expired",
            f"The OpenPGP key {registered.primary.fingerprint} has expired or cannot sign.",
            "Check this machine's clock; if it is right, extend the key first.",
        )
    return signing


def _check_parts(
    export: SecretKeyExport, registered: ListedCertificate, signing: Sequence[ListedKey]
) -> None:
    known = {key.fingerprint for key in registered.keys}
    held = {part.fingerprint for part in export.parts}
    if unknown := held - known:
        raise FormatError(
            "CUS-2/other-subkey",
            f"The file holds the subkey {min(unknown)}, which the registered key does not have.",
            "The file is damaged, or somebody added to it; use another copy.",
        )
    if missing := {key.fingerprint for key in signing} - held:
        raise PolicyRefused(
            STALE,
            f"The file lacks the subkey {min(missing)}: it is older than that subkey.",
            "Make the backup anew.",
        )


def _use_every_part(
    home: GpgHome,
    registered: ListedCertificate,
    signing: Sequence[ListedKey],
    challenge: bytes,
    passphrase: Secret,
    wrong: Secret,
) -> tuple[bytes, ...]:
    """Let the primary certify and each signing key sign; ``wrong`` must fail on each first."""
    primary = registered.primary.fingerprint
    user_id = f"proof of possession {sha256(challenge).hexdigest()}"
    signatures: list[bytes] = []

    def signs_with(key: ListedKey) -> Callable[[Secret], None]:
        return lambda phrase: signatures.append(commands.sign(home, key, challenge, phrase))

    uses = {f"the primary key {primary}": lambda phrase: _certify(home, primary, user_id, phrase)}
    uses |= {f"the signing key {key.fingerprint}": signs_with(key) for key in signing}
    for use in uses.values():
        _expect_wrong(use, wrong)
    refused = [name for name, use in uses.items() if not _opens(use, passphrase)]
    if len(refused) == len(uses):
        raise wrong_passphrase("the OpenPGP key")
    if refused:
        raise _damaged(f"the passphrase opens other parts of the key, but not {refused[0]}")
    return tuple(signatures)


def _certify(home: GpgHome, fingerprint: str, user_id: str, passphrase: Secret) -> None:
    """Let the primary certify a user ID that nobody will see; gpg must find that good."""
    before = count_certifications(listed_signatures(home, fingerprint), fingerprint)
    finished = home.run(["--quick-add-uid", fingerprint, user_id], passphrase=passphrase)
    commands.check_finished(finished, "use the primary key")
    after = count_certifications(listed_signatures(home, fingerprint), fingerprint)
    if after != before + 1:
        raise _damaged("what the primary key signs does not verify")


def _expect_wrong(use: Callable[[Secret], None], wrong: Secret) -> None:
    try:
        use(wrong)
    except PolicyRefused as error:
        if error.code == WRONG_PASSPHRASE:
            return
        raise
    raise commands.unprotected()


def _opens(use: Callable[[Secret], None], passphrase: Secret) -> bool:
    try:
        use(passphrase)
    except PolicyRefused as error:
        if error.code != WRONG_PASSPHRASE:
            raise
        return False
    return True


def _check_all_open(home: GpgHome, export: SecretKeyExport, passphrase: Secret) -> None:
    """Parts that do not sign (for encryption, or expired) must open as well."""
    arguments = ["--armor", "--export-secret-keys", export.fingerprint]
    exported: list[bytes] = []

    def export_all(phrase: Secret) -> None:
        finished = home.run(arguments, passphrase=phrase)
        commands.check_finished(finished, "open every part of the key")
        exported.append(finished.stdout)

    # gpg skips a part that does not open, and calls the passphrase bad.
    if not _opens(export_all, passphrase) or set(parse_secret_key(exported[0]).subkeys) != set(
        export.subkeys
    ):
        raise _damaged("the passphrase does not open every part of the key")


def _check_restores(
    backup: BackupKey,
    signing: Sequence[ListedKey],
    challenge: bytes,
    passphrase: Secret,
    clock: Clock,
) -> None:
    """Restore as the restore card says, with nothing but what lies there, and sign."""
    with throwaway_home(for_secrets=True) as home:
        if backup.beside is not None:
            import_certificate(home, backup.fingerprint, backup.beside)
        commands.import_secret_key(home, backup.secret_key, backup.fingerprint, passphrase)
        restored = {k.fingerprint: k for k in commands.listed(home, backup.fingerprint).keys}
        now = clock.now()
        for key in (
            restored.get(f) for f in (backup.fingerprint, *(k.fingerprint for k in signing))
        ):
            if key is None or not key.usable_at(now):
                raise _stale("its own certificate has expired")
        for key in signing:
            try:
                commands.sign(home, key, challenge, passphrase)
            except CannotTell as error:
                raise _stale(error.summary) from error


def _damaged(why: str) -> FormatError:
    return FormatError(
        "CUS-2/damaged-key",
        f"The OpenPGP secret key is damaged: {why}.",
        "Use another copy, and make this one anew.",
    )


def _stale(why: str) -> PolicyRefused:
    return PolicyRefused(
        STALE,
        f"The OpenPGP key is the right one, but gpg could not use it as it lies there: {why}.",
        "Make the backup anew. Until then it restores only with the published certificate.",
    )
