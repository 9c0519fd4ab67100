"""What gpg is asked about secret keys, and what its answers mean (KEY-1, SIG-3)."""

import re
from typing import Final

from pai_signer.adapters import durable
from pai_signer.adapters.gpg_home import GpgHome
from pai_signer.adapters.passphrases import WRONG_PASSPHRASE, wrong_passphrase
from pai_signer.adapters.process import Finished, install_line
from pai_signer.domain.openpgp import (
    ListedCertificate,
    ListedKey,
    parse_fingerprint,
    parse_key_listing,
)
from pai_signer.domain.openpgp_armor import (
    MAX_CERTIFICATE_BYTES,
    check_armored_certificate,
    parse_armored_signature,
)
from pai_signer.domain.openpgp_status import (
    GPG_BAD_PASSPHRASE,
    GPG_NO_AGENT,
    GPG_NO_SECRET_KEY,
    failure_codes,
    parse_status,
    signature_created_by,
)
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, FormatError, PolicyRefused, SignerError, ToolError

#: In the words of gpg 2.2, and of 2.4.
_NO_AGENT: Final = re.compile(rb"can't connect to the (?:gpg-)?agent")


def sign(home: GpgHome, key: ListedKey, data: bytes, passphrase: Secret) -> bytes:
    """An armored detached signature by exactly ``key``."""
    # "!" makes gpg take exactly this key. With --default-key, which python-gnupg uses, gpg
    # silently signs with another secret key where this one is expired or unknown.
    arguments = ["--local-user", f"{key.fingerprint}!", "--digest-algo", "SHA512"]
    finished = home.run(
        [*arguments, "--armor", "--detach-sign", "--output", "-"],
        stdin=data,
        passphrase=passphrase,
    )
    check_finished(finished, "sign")
    if signature_created_by(parse_status(finished.status)) != key.fingerprint:
        raise ToolError(
            "SIG-3/other-key",
            f"gpg did not sign with the key {key.fingerprint} that it was told to use.",
            "The signature was thrown away. Check the installation of gpg.",
        )
    parse_armored_signature(finished.stdout)
    return finished.stdout


def find(home: GpgHome, fingerprint: str) -> ListedCertificate | None:
    """The secret key with this primary fingerprint, or None."""
    finished = home.run(["--with-colons", "--list-secret-keys"])
    check_finished(finished, "list keys")
    for certificate in parse_key_listing(finished.stdout):
        if certificate.primary.fingerprint == fingerprint:
            return certificate
    return None


def listed(home: GpgHome, fingerprint: str) -> ListedCertificate:
    """The secret key with this primary fingerprint; ``CannotTell`` if it is not there."""
    certificate = find(home, fingerprint)
    if certificate is None:
        raise _no_secret_key()
    return certificate


def only_secret_key(home: GpgHome, key_file: bytes) -> str:
    """The fingerprint of the one secret key in ``key_file``, before anything is imported."""
    if len(key_file) > MAX_CERTIFICATE_BYTES:
        raise _not_a_key_file(f"it is larger than {MAX_CERTIFICATE_BYTES} bytes")
    arguments = ["--with-colons", "--import-options", "show-only", "--import"]
    found = parse_key_listing(home.run(arguments, stdin=key_file).stdout)
    if len(found) != 1:
        raise _not_a_key_file(f"it holds {len(found)} keys instead of one")
    if not found[0].primary.is_secret:
        raise _not_a_key_file("it holds a public key only")
    return found[0].primary.fingerprint


def import_secret_key(home: GpgHome, key_file: bytes, fingerprint: str, passphrase: Secret) -> None:
    """Import the one key; that the passphrase opens it is *not* shown by success."""
    finished = home.run(["--import"], stdin=key_file, passphrase=passphrase)
    told = parse_status(finished.status)
    # gnupg, doc/DETAILS: "IMPORT_RES <count> ...", the number of keys that it found to process.
    if any(line.keyword == "IMPORT_RES" and line.arguments[:1] == ("0",) for line in told):
        raise _not_a_key_file("gpg finds no key in it")
    imported = {
        line.arguments[1]
        for line in told
        # Bit 16: "Contains private key".
        if line.keyword == "IMPORT_OK" and len(line.arguments) > 1
        if line.arguments[0].isdecimal() and int(line.arguments[0]) & 16
    }
    if imported != {fingerprint}:
        check_finished(finished, "import the key")
        raise _not_a_key_file("gpg found no usable secret key in it")


def fingerprints(home: GpgHome) -> set[str]:
    """The primary fingerprints of all keys, with secret parts or without."""
    finished = home.run(["--with-colons", "--list-keys"])
    check_finished(finished, "list keys")
    return {certificate.primary.fingerprint for certificate in parse_key_listing(finished.stdout)}


def remove(home: GpgHome, fingerprint: str) -> None:
    """Remove secret and public key and the revocation certificate; nothing there is fine."""
    certificate = find(home, fingerprint)
    for key in reversed(certificate.keys) if certificate is not None else ():
        # One by one: told to remove them all, gpg refuses where the primary's is missing.
        if not key.token.startswith("#"):
            arguments = ["--yes", "--delete-secret-keys", f"{key.fingerprint}!"]
            check_finished(home.run(arguments), "remove the key")
    # The certificate goes last, so that whatever is still there can be found by it.
    if fingerprint in fingerprints(home):
        arguments = ["--yes", "--delete-keys", fingerprint]
        check_finished(home.run(arguments), "remove the key")
    # The revocation certificate that gpg makes with every key is of no use without it.
    revocations = home.path / "openpgp-revocs.d"
    if revocations.is_dir():
        durable.remove(revocations / f"{fingerprint}.rev")


def public_certificate(home: GpgHome, fingerprint: str) -> str:
    """The armored public certificate with all that is known of it."""
    certificate = str(home.library().export_keys(fingerprint))
    check_armored_certificate(certificate)
    return certificate


# --- what gpg answers -------------------------------------------------------------------


def created_fingerprint(finished: Finished) -> str:
    """The fingerprint in ``KEY_CREATED <type> <fingerprint>``."""
    check_finished(finished, "make the key")
    made = [s.arguments for s in parse_status(finished.status) if s.keyword == "KEY_CREATED"]
    if len(made) != 1 or len(made[0]) < 2:
        raise _failed(finished, "make the key")
    return parse_fingerprint(made[0][1])


def check_finished(finished: Finished, doing: str) -> None:
    """Raise what the failure codes mean; gpg's exit code is believed only if it is bad."""
    codes = failure_codes(parse_status(finished.status))
    if GPG_BAD_PASSPHRASE in codes:
        raise wrong_passphrase("the OpenPGP key")
    # A listing that needs the agent says so in no status line (its language is set to C).
    if GPG_NO_AGENT in codes or _NO_AGENT.search(finished.stderr):
        raise ToolError(
            "SEC-2/agent-missing",
            "gpg cannot start its agent, which holds the secret keys.",
            f"Install it: {install_line('gpg')}",
        )
    if GPG_NO_SECRET_KEY in codes:
        raise _no_secret_key()
    if codes or finished.exit_code != 0:
        raise _failed(finished, doing)


def expect_wrong_passphrase(finished: Finished) -> None:
    """Raise unless gpg refused the passphrase: else it protects nothing."""
    try:
        check_finished(finished, "try a wrong passphrase")
    except PolicyRefused as error:
        if error.code == WRONG_PASSPHRASE:
            return
        raise
    raise unprotected()


def _failed(finished: Finished, doing: str) -> SignerError:
    return ToolError(
        "SEC-2/tool-failed",
        f"gpg could not {doing}: {finished.shown_stderr()}",
        "See the message above; nothing of its output was used.",
    )


def _no_secret_key() -> CannotTell:
    return CannotTell(
        "KEY-1/no-secret-key",
        "The secret part of this OpenPGP key is not in the vault.",
        "Check the fingerprint, or restore the key from a backup.",
    )


def unprotected() -> PolicyRefused:
    """The error for a secret key that any passphrase opens."""
    return PolicyRefused(
        "KEY-1/unprotected",
        "The OpenPGP secret key is not protected: any passphrase opens it.",
        "Protect it where it was made: gpg --change-passphrase FINGERPRINT. "
        "Then export it again and destroy the open copies.",
    )


def _not_a_key_file(why: str) -> FormatError:
    return FormatError(
        "KEY-1/key-file",
        f"This is not the export of one OpenPGP secret key: {why}.",
        "Use the output of: gpg --armor --export-secret-keys FINGERPRINT",
    )
