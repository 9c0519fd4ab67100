"""Copies of the weak key under another passphrase: made, spoilt, proved, restored by stock gpg."""

import base64
import functools
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp_armor import checksum_line, dearmored_secret_key
from pai_signer.domain.openpgp_certificate import Packet, split_packets
from pai_signer.domain.secret import Secret
from tests.adapters.gpg.homes import CLOCK, NEW
from tests.keys import WEAK_PASSPHRASE, install_weak_openpgp_key, weak_openpgp_key, weak_passphrase

CHALLENGE = b"# PROOF OF POSSESSION, neither a release nor a tag\nnonce 00\n"


@functools.cache
def copy() -> bytes:
    """The weak key wrapped under ``NEW``."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        info = install_weak_openpgp_key(home)
        return OpenPgpBackups(home, CLOCK).wrap(
            info.fingerprint, weak_passphrase(), weak_passphrase(NEW)
        )


def wrap(backups: OpenPgpBackups, old: bytes = WEAK_PASSPHRASE, new: bytes = NEW) -> bytes:
    fingerprint = weak_openpgp_key().info.fingerprint
    return backups.wrap(fingerprint, Secret(bytearray(old)), Secret(bytearray(new)))


def prove(
    backups: OpenPgpBackups,
    secret_key: bytes,
    passphrase: bytes = NEW,
    certificate: str = "",
    fingerprint: str = "",
    beside: str | None = None,
) -> tuple[bytes, ...]:
    info = weak_openpgp_key().info
    return backups.prove(
        secret_key,
        certificate or info.certificate,
        fingerprint or info.fingerprint,
        Secret(bytearray(passphrase)),
        CHALLENGE,
        beside,
    )


def armored(packets: bytes) -> bytes:
    """A secret key export whose checksum is right, whatever it holds."""
    text = base64.b64encode(packets).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    head, tail = "-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----END PGP PRIVATE KEY BLOCK-----"
    return "\n".join([head, "", *lines, checksum_line(packets), tail, ""]).encode("ascii")


def packets(secret_key: bytes) -> tuple[Packet, ...]:
    return split_packets(dearmored_secret_key(secret_key))


def with_body(packet: Packet, body: bytes) -> bytes:
    assert len(body) == len(packet.body) < 192
    return bytes([0xC0 | packet.tag, len(body)]) + body


def stock(home: Path, *arguments: str | Path, typed: bytes = b"") -> Finished:
    """gpg as the restore card calls it, in a home without any configuration of ours."""
    done = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", *arguments],
        input=typed,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Finished(done.returncode, done.stdout, done.stderr, b"")
