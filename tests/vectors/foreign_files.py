# ruff: noqa: E501 - a table is read by its rows
# fmt: off
"""Bad profiles, images, OpenPGP files, archives and output of tools; one fault each."""

from typing import Final

from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    ToolError,
    UntrustedKey,
)
from tests.fuzzing.shells import armor, summed_tar
from tests.vectors.faults import (
    Change,
    appended,
    cut,
    faults,
    inside,
    line_twice,
    lines_swapped,
    matched,
    only,
    patched,
    prepended,
    replaced,
    without_line,
)

_SECTOR: Final = 2048
_PROFILE: Final = "PROFILE/format"
_ISO: Final = "IMP-5/iso"
_ARMOR: Final = "SIG-3/format"
_SECRET: Final = "CUS-2/format"
_WEAK: Final = "CUS-2/weak-protection"
_CERTIFICATE: Final = "KEY-4/format"
_OUTPUT: Final = "SIG-5/gpg-output"
_TAR: Final = "CUS-1/revocations"


def _in(kind: str, change: Change) -> Change:
    return inside(armor(kind).opened, change)


def _secret(change: Change) -> Change:
    return _in("PGP PRIVATE KEY BLOCK", change)


def _certificate(change: Change) -> Change:
    return _in("PGP PUBLIC KEY BLOCK", change)


def _sector(number: int, at: int, data: bytes) -> Change:
    return patched(number * _SECTOR + at, data)


PROFILES: Final = faults(
    "profile",
    FormatError,
    ("not-toml", _PROFILE, "Invalid statement", prepended(b"{")),
    ("not-utf-8", _PROFILE, "invalid start byte", prepended(b"# \xff\n")),
    ("deep", _PROFILE, "recursion", appended(b"\nx = " + b"[" * 5000)),
    ("endless-number", _PROFILE, "digits", appended(b"\nx = " + b"9" * 5000)),
    ("unknown-key", _PROFILE, "unknown field", prepended(b"surprise = 1\n")),
    ("path-as-slug", _PROFILE, "project.slug", matched(rb'slug = ".*"', b'slug = "../x"')),
    ("tag-without-version", _PROFILE, "project.tag", matched(rb'\ntag = ".*"', b'\ntag = "v"')),
    ("path-as-manifest", _PROFILE, "no safe file name", matched(rb'manifest = ".*"', b'manifest = "../S"')),
    ("own-name-as-manifest", _PROFILE, "no safe file name", matched(rb'manifest = ".*"', b'manifest = "receipt.json"')),
    ("no-custodians", _PROFILE, "not positive", matched(rb"\ncustodians = \d+", b"\ncustodians = 0")),
)
IMAGES: Final = faults(
    "iso",
    FormatError,
    ("no-volume", _ISO, "no volume descriptor", _sector(16, 1, b"XXXXX")),
    ("no-primary", _ISO, "no primary volume descriptor", _sector(16, 0, b"\x02")),
    ("no-terminator", _ISO, "no volume descriptor where one belongs", _sector(18, 0, bytes(8))),
    ("two-sizes", _ISO, "two ways that disagree", _sector(16, 84, bytes(4))),
    ("other-blocks", _ISO, "blocks are not 2048", _sector(16, 128, b"\0\x10")),
    ("truncated", _ISO, "TRUNCATED: 2048 of", cut(_SECTOR)),
    ("appended", _ISO, "DATA APPENDED", appended(b"evil")),
    ("catalog-checksum", _ISO, "checksum of the boot catalog", _sector(19, 28, b"\0\0")),
    ("no-catalog", _ISO, "no validation entry", _sector(19, 0, bytes(32))),
    ("catalog-outside", _ISO, "past the end of the file", _sector(17, 0x47, b"\xff\xff\xff\xff")),
    ("program-outside", _ISO, "past the end of the file", _sector(19, 32 + 8, b"\xff\xff\xff\x7f")),
    ("entries-missing", _ISO, "claims more entries", _sector(19, 64 + 2, b"\xff\xff")),
    ("record-cut-off", _ISO, "a directory record is cut off", _sector(20, 0, b"\x05")),
    ("name-past-record", _ISO, "a directory record is cut off", _sector(20, 32, b"\xff")),
    ("empty", _ISO, "past the end of the file", only(b"")),
)
OPENPGP: Final = (
    *faults(
        "openpgp-signature",
        FormatError,
        ("text-before", _ARMOR, "not one armored block", prepended(b"hello\n")),
        ("text-behind", _ARMOR, "not one armored block", appended(b"hello\n")),
        ("clear-signed", _ARMOR, "not one armored block", replaced(b"BEGIN PGP SIGNATURE", b"BEGIN PGP SIGNED MESSAGE")),
        ("no-blank-line", _ARMOR, "no blank line", replaced(b"\n\n", b"\n")),
        ("other-header", _ARMOR, "armor headers are damaged", replaced(b"Version: ", b"Version=")),
        ("wrong-checksum", _ARMOR, "checksum is wrong", matched(rb"\n=....", b"\n=AAAA")),
        ("not-base64", _ARMOR, "base64 is damaged", matched(rb"\n\n.", b"\n\n*")),
        ("two-packets", _ARMOR, "more than one packet", _in("PGP SIGNATURE", lambda d: d * 2)),
        ("cut-off", _ARMOR, "more than one packet", _in("PGP SIGNATURE", cut(1))),
        ("no-signature", _ARMOR, "holds no signature", _in("PGP SIGNATURE", patched(0, b"\x98"))),
        ("no-packet", _ARMOR, "does not start with a packet", _in("PGP SIGNATURE", patched(0, b"\0"))),
        ("endless-packet", _ARMOR, "no definite length", _in("PGP SIGNATURE", patched(0, b"\x8b"))),
        ("not-ascii", _ARMOR, "not ASCII", replaced(b"GnuPG", b"Gn\xc3\xbcPG")),
    ),
    *faults(
        "openpgp-certificate",
        FormatError,
        ("private-key", _ARMOR, "not one armored block", replaced(b"PUBLIC", b"PRIVATE", -1)),
        ("packet-cut-off", _CERTIFICATE, "a packet is cut off", _certificate(cut(1))),
        ("no-primary", _CERTIFICATE, "not one public key", _certificate(patched(0, b"\xb8"))),
        ("secret-packet", _CERTIFICATE, "does not belong there", _certificate(appended(b"\x9c\x01\x04"))),
        ("empty", _CERTIFICATE, "it is empty", _certificate(only(b""))),
        ("version-3", "KEY-2/version", "primary key of version 4", _certificate(patched(2, b"\x03"))),
        ("stray-signature", _CERTIFICATE, "where it does not belong", _certificate(prepended(b"\x88\x02\x04\x13"))),
        ("endless-packet", _CERTIFICATE, "no definite length", _certificate(appended(b"\x9b"))),
        ("user-id-behind-subkey", _CERTIFICATE, "behind a subkey", _certificate(appended(b"\xb4\x01A"))),
    ),
    *faults(
        "openpgp-secret",
        FormatError,
        ("public-key", _ARMOR, "not one armored block", replaced(b"PRIVATE", b"PUBLIC", -1)),
        ("empty", _SECRET, "holds no secret key", _secret(only(b""))),
        ("version-3", _SECRET, "not of version 4", _secret(patched(6, b"\x03"))),
        ("unknown-algorithm", _SECRET, "algorithm of a secret key is unknown", _secret(patched(11, b"\x63"))),
        ("unknown-hashing", _SECRET, "passphrase hashing is unknown", _secret(replaced(b"\xfe\x07\x03", b"\xfe\x07\x42"))),
        ("same-part-twice", _SECRET, "stands there twice", _secret(lambda d: d + d[d.rindex(b"\xc7\xff") :])),
        ("two-keys", _SECRET, "not one secret key", _secret(lambda d: d * 2)),
    ),
    *faults(
        "openpgp-secret",
        PolicyRefused,
        ("open", "KEY-1/unprotected", "not protected by any passphrase", _secret(replaced(b"\xfe\x07\x03", b"\x00\x07\x03"))),
        ("md5-alone", _WEAK, "MD5 alone", _secret(replaced(b"\xfe\x07\x03", b"\x07\x07\x03"))),
        ("sum-only", _WEAK, "not guarded by a hash", _secret(replaced(b"\xfe\x07\x03", b"\xff\x07\x03"))),
        ("hashed-little", _WEAK, "hashed too little", _secret(replaced(b"\x06\x07\xff", b"\x06\x07\x60"))),
        ("hashed-once", _WEAK, "hashed too little", _secret(replaced(b"\xfe\x07\x03", b"\xfe\x07\x01"))),
        ("broken-hash", _WEAK, "a broken or unknown algorithm", _secret(replaced(b"\xfe\x07\x03\x02", b"\xfe\x07\x03\x01"))),
        ("other-cipher", _WEAK, "not encrypted with AES", _secret(replaced(b"\xfe\x07\x03", b"\xfe\x03\x03"))),
        ("stub", "CUS-2/secret-missing", "is not in this file", _secret(replaced(b"\xfe\x07\x03", b"\xfe\x07\x65"))),
    ),
    *faults(
        "openpgp-symmetric",
        FormatError,
        ("empty", _SECRET, "not encrypted under a passphrase", only(b"")),
        ("other-packet", _SECRET, "not encrypted under a passphrase", patched(0, b"\xc1")),
        ("aes-128", _SECRET, "AES-256", replaced(b"\x04\x09\x03", b"\x04\x07\x03")),
        ("sha-1", _SECRET, "not hashed as it should be", replaced(b"\x03\x0a", b"\x03\x02")),
        ("hashed-little", _SECRET, "not hashed as it should be", replaced(b"\x06\x07\xff", b"\x06\x07\x60")),
        ("unguarded", _SECRET, "nothing guards its content", replaced(b"\xd2\xff", b"\xc9\xff")),
    ),
    *faults(
        "revocations",
        FormatError,
        ("no-archive", _TAR, "is no archive", only(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")),
        ("one-missing", _TAR, "not as this program packs it", lambda d: d[1536:]),
        ("path", _TAR, "not as this program packs it", lambda d: summed_tar(replaced(b"compromised.asc", b"../promised.asc")(d))),
        ("link", _TAR, "not as this program packs it", lambda d: summed_tar(patched(156, b"2")(d))),
        ("stranger-behind", _TAR, "not as this program packs it", lambda d: d[:-512] + b"x" * 512),
        ("wrong-sum", _TAR, "is no archive", patched(148, b"000000\0 ")),
        ("executable", _TAR, "not as this program packs it", lambda d: summed_tar(replaced(b"0000600", b"0000755")(d))),
        ("sparse-bomb", _TAR, "not as this program packs it", lambda d: summed_tar(_sparse(d))),
    ),
)


def _sparse(data: bytes) -> bytes:
    """The first member an old GNU sparse file of 8 GiB, of which nothing is there."""
    head = bytearray(data[:512])
    head[156:157] = b"S"
    head[257:265] = b"ustar  \0"
    head[386:410] = b"00000000000\0" + b"00000000000\0"
    head[483:495] = b"77777777777\0"
    return bytes(head) + data[512:]


_GPG: Final = b"[GNUPG:] "
TOOLS: Final = (
    *faults(
        "gpg-status",
        BadSignature,
        ("bad", "SIG-5/bad-signature", "does not belong to this content", replaced(b"GOODSIG", b"BADSIG")),
        ("expired-signature", "SIG-5/signature-expired", "carries an expiry date", replaced(b"GOODSIG", b"EXPSIG")),
        ("two-verdicts", "SIG-5/several-signatures", "more than one signature", line_twice(1)),
        ("of-the-future", "SIG-5/future-date", "lies in the future", replaced(b" 1795469904 ", b" 1995469904 ")),
    ),
    *faults(
        "gpg-status",
        UntrustedKey,
        ("revoked-key", "SIG-5/key-revoked", "by the revoked key", replaced(b"GOODSIG", b"REVKEYSIG")),
        ("revoked-as-well", "SIG-5/key-revoked", "by the revoked key", appended(_GPG + b"KEYREVOKED\n")),
        ("unknown-key", "SIG-5/unknown-key", "none of the expected ones", replaced(b"E9118D84", b"E9118D85")),
    ),
    *faults(
        "gpg-status",
        CannotTell,
        ("no-verdict", "SIG-5/unchecked", "no signature that it could check", without_line(1)),
        ("two-valid", "SIG-5/unchecked", "with one fingerprint", line_twice(2)),
        ("not-valid", "SIG-5/unchecked", "with one fingerprint", without_line(2)),
        ("other-keys-verdict", "SIG-5/unchecked", "speak of different keys", replaced(b"GOODSIG F0D4", b"GOODSIG F0D5")),
    ),
    *faults("gpg-status", ToolError, ("stray-line", _OUTPUT, "a status line", prepended(b"gpg: hello\n")), ("no-time", _OUTPUT, "a time", replaced(b" 1795469904 ", b" soon "))),
    *faults(
        "gpg-keys",
        ToolError,
        ("subkey-first", _OUTPUT, "a key listing", replaced(b"\npub:", b"\nsub:")),
        ("no-fingerprint", _OUTPUT, "a key listing", without_line(2)),
        ("few-fields", _OUTPUT, "a key listing", matched(rb"pub:.*", b"pub:u:255")),
        ("no-time", _OUTPUT, "a time", replaced(b":1795469506:1825070400:", b":x:1825070400:")),
        ("time-without-end", _OUTPUT, "a time", replaced(b":1825070400:", b":" + b"9" * 30 + b":")),
    ),
    *faults("gpg-keys", FormatError, ("short-fingerprint", "KEY-2/fingerprint", "not an OpenPGP key of version 4", matched(rb"fpr:::::::::E911", b"fpr:::::::::"))),
    *faults(
        "gpg-signatures",
        ToolError,
        ("no-key", _OUTPUT, "a list of signatures", without_line(1)),
        ("two-keys", _OUTPUT, "a list of signatures", line_twice(1)),
        ("no-class", _OUTPUT, "a list of signatures", replaced(b":13x:", b":x:")),
        ("no-time", _OUTPUT, "a time", replaced(b":1672531300:", b":soon:")),
    ),
    *faults(
        "lsblk",
        ToolError,
        ("not-json", "IMP-1/unreadable", "report of lsblk", only(b"lsblk: not found")),
        ("no-path", "IMP-1/unreadable", "missing required field", replaced(b'"path":"/dev/sdb",', b"")),
        ("number-as-label", "IMP-1/unreadable", "Expected `str | null`", replaced(b'"RELEASE"', b"7")),
        ("deep", "IMP-1/unreadable", "Expected `object`", only(b'{"blockdevices":' + b"[" * 5000)),
    ),
    *faults(
        "findmnt",
        ToolError,
        ("not-json", "IMP-1/unreadable", "report of findmnt", only(b"")),
        ("no-target", "IMP-1/unreadable", "missing required field", replaced(b'"target":"/",', b"")),
        ("other-shape", "IMP-1/unreadable", "Expected `array`", only(b'{"filesystems":{}}')),
    ),
    *faults(
        "pdf",
        FormatError,
        ("script-added", "CUS-1/pdf", "more, or other things", replaced(b"/Pages 2 0 R", b"/Pages 2 0 R /OpenAction 5 0 R")),
        ("no-title", "CUS-1/pdf", "no title", replaced(b"/Title", b"/Titel")),
        ("other-drawing", "CUS-1/pdf", "a line of a page is unknown", replaced(b" re f", b" re S")),
        ("text-behind", "CUS-1/pdf", "more, or other things", appended(b"x")),
        ("lines-swapped", "CUS-1/pdf", "more, or other things", lines_swapped(1, 2)),
    ),
)
