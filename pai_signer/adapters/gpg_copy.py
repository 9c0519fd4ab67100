"""Work on a key in a home in memory, and bring the result into the vault's (KEY-1, KEY-4).

gpg makes and changes a key in several steps. In memory a failure half-way is of no
consequence: the vault takes the finished certificate in a single import, or
nothing at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors, durable
from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home
from pai_signer.domain.openpgp import ListedCertificate, parse_key_listing
from pai_signer.domain.openpgp_signatures import ListedPart, parse_signature_listing
from pai_signer.domain.openpgp_status import parse_status
from pai_signer.errors import CannotTell, FormatError

_KEY_FOLDER: Final = "private-keys-v1.d"


@contextmanager
def working_copy(home: GpgHome, *fingerprints: str) -> Iterator[GpgHome]:
    """A home in memory with these keys of ``home``; their secrets are copied as encrypted."""
    with throwaway_home(for_secrets=True) as copy:
        folder = copy.path / _KEY_FOLDER
        folder.mkdir(mode=0o700)
        with device_errors.explained("read the vault's secret keys", requirement="KEY-4"):
            for file, content in secret_key_files(home).items():
                (folder / file.name).write_bytes(content)
        for fingerprint in fingerprints:
            import_certificate(copy, fingerprint, commands.public_certificate(home, fingerprint))
        yield copy


def secret_key_files(home: GpgHome) -> dict[Path, bytes]:
    """The agent's files, one for each secret part of a key, as encrypted; sorted by keygrip."""
    paths = sorted((home.path / _KEY_FOLDER).glob("*.key"))
    return {path: path.read_bytes() for path in paths}


def bring_new_key(copy: GpgHome, home: GpgHome, fingerprint: str, lasting: Path) -> None:
    """Take the one key of ``copy`` into ``home``, whose files are below ``lasting``.

    The certificate comes first: whatever the moment of a crash, no secret lies in the vault
    that no listing shows, and a key whose secrets are not all there can be told.
    """
    import_certificate(home, fingerprint, commands.public_certificate(copy, fingerprint))
    with durable.held_directory(lasting) as folder:
        durable.sync_filesystem(folder)  # gpg does not fsync
    durable.make_directory(lasting / _KEY_FOLDER)
    with device_errors.explained("store the secret key", requirement="KEY-1"):
        for file, content in secret_key_files(copy).items():
            durable.create(lasting / _KEY_FOLDER / file.name, content)


def import_certificate(home: GpgHome, fingerprint: str, certificate: str) -> None:
    """Import one public certificate, of exactly this key."""
    finished = home.run(["--import"], stdin=certificate.encode("ascii"))
    imported = {
        line.arguments[1]
        for line in parse_status(finished.status)
        if line.keyword == "IMPORT_OK" and len(line.arguments) > 1
    }
    if imported != {fingerprint}:
        commands.check_finished(finished, "import the certificate")
        raise FormatError(
            "KEY-4/certificate",
            f"gpg does not find the OpenPGP key {fingerprint} in its certificate.",
            "Use the certificate as gpg exported it.",
        )
    commands.check_finished(finished, "import the certificate")


def listed_public(home: GpgHome, fingerprint: str) -> ListedCertificate:
    """The public key with this primary fingerprint; ``CannotTell`` if it is not there."""
    finished = home.run(["--with-colons", "--list-keys"])
    commands.check_finished(finished, "list keys")
    for certificate in parse_key_listing(finished.stdout):
        if certificate.primary.fingerprint == fingerprint:
            return certificate
    raise CannotTell(
        "KEY-4/no-key",
        "This OpenPGP key is not in the vault.",
        "Check the fingerprint.",
    )


def listed_signatures(home: GpgHome, fingerprint: str) -> tuple[ListedPart, ...]:
    """The parts of the key and the signatures on them, as gpg checked them."""
    finished = home.run(["--with-colons", "--check-sigs", fingerprint])
    commands.check_finished(finished, "check the key's signatures")
    return parse_signature_listing(finished.stdout)
