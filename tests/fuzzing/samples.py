"""One small good sample of each format that comes from outside, or several where forms differ.

Always the same bytes: nothing here depends on the clock, on chance or on a tool. Signatures
by minisign are real, by throwaway keys that come from a number; OpenPGP packets are
well-formed, and the numbers in them are made up.
"""

import base64
import functools
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from pai_signer.composition import built_in_profile
from pai_signer.domain.backup import (
    ALL_NAMES,
    BACKUP_MANIFEST_NAME,
    REVOCATION_MEMBERS,
    SIGNATURE_NAMES,
    pack_revocations,
    render_manifest,
)
from pai_signer.domain.challenge import render_challenge
from pai_signer.domain.custody import Outcome, WithdrawalCause
from pai_signer.domain.journal import encode_entry
from pai_signer.domain.openpgp_certificate import armored
from pai_signer.domain.pdf import render_pdf
from pai_signer.domain.records import encode_record
from pai_signer.domain.transition import render_transition
from pai_signer.domain.vault_info import VaultInfo, encode_vault_info
from pai_signer.domain.words import to_words
from tests.adapters.test_media import DATA, ROOT_MOUNT, SYSTEM
from tests.adapters.test_media import stick as usb_stick
from tests.custody import BOTH, MINISIGN_KEY, CustodyJournal, stick
from tests.domain.test_attestation import ATTESTATION
from tests.domain.test_backup import FACTS
from tests.domain.test_ceremony import transcript
from tests.domain.test_challenge import CHALLENGE, TEXT
from tests.domain.test_endorsement import SIGNED, endorsement
from tests.domain.test_openpgp import GOOD, LISTING, PACKET, VALID, status
from tests.domain.test_openpgp import armored as armored_signature
from tests.domain.test_openpgp_secret import (
    CURVE,
    EDDSA,
    ENCRYPTED,
    PROTECTED,
    SESSION_KEY,
    export,
    number,
    packet,
    public,
)
from tests.domain.test_pdf import PAGES
from tests.domain.test_policy import candidate
from tests.domain.test_receipt import receipt
from tests.domain.test_tag import TAG
from tests.domain.test_tag_bundle import COMMIT, bundle
from tests.domain.test_transition import EVERY, statement
from tests.property.test_openpgp_certificate_properties import LISTING as SIGNATURE_LISTING
from tests.registries import BORN, certificate
from tests.registry_fuzz import known_registry, real_key, signed

#: What the minisign samples sign.
MESSAGE: Final = b"what is released\n"
SIDE_FILE_OF: Final = "pai-1.2.3-amd64.iso"


@functools.cache
def samples() -> Mapping[str, tuple[bytes, ...]]:
    """Good bytes by the name of the format; the parsers accept each."""
    first, second = (f"{hex_digit * 64}" for hex_digit in "ab")
    manifest = f"{first}  {SIDE_FILE_OF}\n{second}  pai-1.2.3-arm64.iso\n".encode()
    listing = LISTING.encode()
    files = sorted(ALL_NAMES - {BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES})
    rehearsed = msgspec.structs.replace(CHALLENGE, rehearsal=True)
    head = to_words(bytes(range(8)))
    return MappingProxyType(
        {
            "manifest": (manifest,),
            "checksums": (
                manifest,
                f"SHA256 ({SIDE_FILE_OF}) = {first}\n".encode(),
                f"# made by CI\r\n\r\n{first.upper()} *{SIDE_FILE_OF}".encode(),
            ),
            "side-file": (f"{first}  {SIDE_FILE_OF}\n".encode(), f"{first}\n".encode()),
            "live-list": (manifest,),
            "live-tag": (
                f"{'1' * 40}\trefs/tags/v1.2.3\n{'2' * 40}\trefs/tags/v1.2.3^{{}}\n".encode(),
            ),
            "minisig": (signed(MESSAGE, 2), signed(MESSAGE, 2).removesuffix(b"\n")),
            "minisign-public": (_public_key_file(),),
            "minisign-secret": (_secret_key_file(),),
            "registry": (encode_record(known_registry()),),
            "receipt": (encode_record(receipt()),),
            "candidate": (encode_record(candidate()),),
            "vault": (encode_vault_info(_vault_info()),),
            "journal": (_lines(custody_journal()), _lines(SIGNED)),
            "profile": (_profile(),),
            "iso": (small_iso(),),
            "gpg-status": (status("NEWSIG", GOOD, VALID),),
            "gpg-keys": (listing, listing.replace(b"pub:", b"sec:").replace(b"sub:", b"ssb:")),
            "gpg-signatures": (SIGNATURE_LISTING.encode(),),
            "lsblk": (lsblk_report(),),
            "findmnt": (findmnt_report(),),
            "tag": (TAG,),
            "tag-bundle": (bundle(), bundle().replace(f"-{COMMIT} \n".encode(), b"")),
            "bundle-header": (
                f"# v2 git bundle\n-{COMMIT} x\n{'1' * 40} HEAD\n"
                f"{'1' * 40} refs/heads/main\n\nPACK".encode(),
                f"# v3 git bundle\n@object-format=sha1\n{'1' * 40} HEAD\n\n".encode(),
            ),
            "transcript": (encode_record(transcript()),),
            "endorsement": (encode_record(endorsement()),),
            "transition": tuple(render_transition(statement(made())) for made in EVERY),
            "backup-manifest": (render_manifest("PAI", False, dict.fromkeys(files, b"content")),),
            "backup-facts": (encode_record(FACTS),),
            "challenge": (TEXT, render_challenge(rehearsed)),
            "attestation": (encode_record(ATTESTATION),),
            "openpgp-secret": (_secret_export(),),
            "openpgp-symmetric": (
                packet(3, SESSION_KEY) + ENCRYPTED,
                b"\x8c\x0d" + SESSION_KEY + b"\xd2\xe9" + bytes(600),
            ),
            "openpgp-signature": (armored_signature(PACKET, headers="Version: GnuPG v2\n"),),
            "openpgp-certificate": (certificate(1, 2, 2).encode(), _revoked_certificate()),
            "revocations": (pack_revocations(dict.fromkeys(REVOCATION_MEMBERS, b"x\n" * 400)),),
            "noted-head": (f"41 {' '.join(head)}\n".encode(), b"41 " + b"9f27ee06" * 2),
            "pdf": (render_pdf("A (title)", PAGES),),
        }
    )


def _lines(entries: Any) -> bytes:
    return b"".join(map(encode_entry, entries))


def _public_key_file() -> bytes:
    key = real_key(2)
    return f"untrusted comment: minisign public key {key.id}\n{key.public_key}\n".encode()


def _secret_key_file() -> bytes:
    blob = b"EdScB2" + bytes(range(32)) + struct.pack("<QQ", 33_554_432, 1_073_741_824) + bytes(104)
    line = base64.b64encode(blob).decode()
    return f"untrusted comment: minisign encrypted secret key\n{line}\n".encode()


def _vault_info() -> VaultInfo:
    return VaultInfo(
        project="PAI",
        maintainer_name="Mia Maintainer",
        maintainer_email="mia@example.org",
        created_at=BORN,
    )


def _profile() -> bytes:
    return built_in_profile()


def custody_journal() -> tuple[Any, ...]:
    """A journal with each event of custody in it."""
    kept = CustodyJournal()
    anna, bob = stick("1A2B-3C4D", "S1", "A"), stick("5E6F-7A8B", "S2", "B")
    kept.created(0, "Anna", anna)
    kept.proved(1, "Anna", anna)
    kept.accepted(3, "Bob", bob, proved_on=2)
    kept.failed(4, "Bob", bob, Outcome.WRONG_PASSPHRASE, MINISIGN_KEY)
    kept.withdrawn(5, WithdrawalCause.MEDIUM_LOST, medium=anna)
    kept.created(6, "Anna", anna, *BOTH, number=7)
    return tuple(kept.entries)


def _secret_export() -> bytes:
    return export(
        packet(5, EDDSA + PROTECTED),
        packet(13, b"A <a@b.c>"),
        packet(2, b"signature"),
        packet(
            7, public(18, CURVE + number(b"\x40" + bytes(32)) + b"\x03\x01\x08\x07") + PROTECTED
        ),
    )


def _revoked_certificate() -> bytes:
    """A primary key, its revocation with a reason, a user ID."""
    reason = bytes((0, 7, 6, 29, 2)) + b"gone"
    revocation = bytes((4, 0x20, 22, 8)) + reason + b"made up"
    pieces = ((6, b"\x04primary"), (2, revocation), (13, b"Test Key <test@test.invalid>"))
    return armored(b"".join(bytes((0x80 | t << 2, len(b))) + b for t, b in pieces)).encode()


# --- what tools say of media -------------------------------------------------------------------


def lsblk_report() -> bytes:
    """The system's disk, and a stick with one filesystem."""
    return msgspec.json.encode({"blockdevices": [SYSTEM, usb_stick(DATA)]})


def findmnt_report() -> bytes:
    """The system's root, and the stick's filesystem."""
    mounted = {"target": "/media/x", "source": "/dev/sdb1", "fstype": "exfat", "options": "rw"}
    return msgspec.json.encode({"filesystems": [ROOT_MOUNT, mounted]})


# --- an image ----------------------------------------------------------------------------------

_SECTOR: Final = 2048
_SECTORS: Final = 24


def small_iso() -> bytes:
    """24 sectors: a volume, El Torito for BIOS and EFI, one EFI program, an MBR and a GPT."""
    image = bytearray(_SECTORS * _SECTOR)

    def put(sector: int, at: int, data: bytes) -> None:
        start = sector * _SECTOR + at
        image[start : start + len(data)] = data

    def record(name: bytes, sector: int) -> bytes:
        body = bytearray(33 + len(name) + (1 - len(name) % 2))
        body[0], body[32] = len(body), len(name)
        body[2:6], body[10:14] = struct.pack("<I", sector), struct.pack("<I", _SECTOR)
        body[33 : 33 + len(name)] = name
        return bytes(body)

    # The primary descriptor, the boot record, the terminator (ECMA-119 8.4, 8.2, 8.3).
    put(16, 0, b"\x01CD001\x01")
    put(16, 40, b"SMALL".ljust(32))
    put(16, 80, struct.pack("<I", _SECTORS) + struct.pack(">I", _SECTORS))
    put(16, 128, struct.pack("<H", _SECTOR))
    put(16, 156, record(b"\0", 20))
    put(17, 0, b"\x00CD001\x01EL TORITO SPECIFICATION")
    put(17, 0x47, struct.pack("<I", 19))
    put(18, 0, b"\xffCD001\x01")
    # The boot catalog: validation, the BIOS entry, a section with the EFI entry (El Torito 2).
    validation = bytearray(32)
    validation[0], validation[30], validation[31] = 1, 0x55, 0xAA
    total = sum(struct.unpack("<16H", validation)) & 0xFFFF
    validation[28:30] = struct.pack("<H", (0x10000 - total) & 0xFFFF)
    entry = b"\x88\0\0\0\0\0" + struct.pack("<HI", 4, 23)
    catalog = (bytes(validation), entry, b"\x91\xef\x01\x00", entry)
    put(19, 0, b"".join(part.ljust(32, b"\0") for part in catalog))
    put(20, 0, record(b"\0", 20) + record(b"\1", 20) + record(b"EFI", 21))
    put(21, 0, record(b"BOOT", 22))
    put(22, 0, record(b"BOOTX64.EFI;1", 23))
    put(23, 64, b"BOOTX64 EFI")
    # One partition over everything, and a GPT whose backup is the last block (UEFI 5.2, 5.3).
    blocks = _SECTORS * _SECTOR // 512
    put(0, 446, b"\0\0\0\0\x17\0\0\0" + struct.pack("<II", 0, blocks))
    put(0, 510, b"\x55\xaa")
    put(0, 512, b"EFI PART".ljust(32, b"\0") + struct.pack("<Q", blocks - 1))
    return bytes(image)
