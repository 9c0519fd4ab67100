"""The minisign formats, parsed strictly: public keys, signatures, secret key headers (SIG-2).

Source of every layout here: https://jedisct1.github.io/minisign/ ("Signature
format", "Public key format", "Secret key format") and minisign(1); the comment
limits and the stock scrypt limits are those of minisign's ``src/minisign.h``
and libsodium's ``crypto_pwhash_scryptsalsa208sha256_*LIMIT_SENSITIVE``.

Stricter than the tools on purpose: no legacy ``Ed`` signatures (an ``ED``
signature relabelled ``Ed`` verifies the 64-byte digest as if it were a file), no
control characters in comments, no second base64 spelling, no further lines.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import BadSignature, FormatError

#: Larger than any stock file: two comments of at most 1024 and 8192 bytes, two base64 lines.
MAX_FILE_BYTES: Final = 16 << 10
MAX_UNTRUSTED_COMMENT_BYTES: Final = 1024 - 1 - len("untrusted comment: ")
MAX_TRUSTED_COMMENT_BYTES: Final = 8192 - 1 - len("trusted comment: ")

PREHASHED: Final = b"ED"
KEY_ALGORITHM: Final = b"Ed"
BLAKE2B_512_BYTES: Final = 64

_LEGACY: Final = b"Ed"
_KEY_ID_BYTES: Final = 8
_PUBLIC_KEY_BYTES: Final = 2 + _KEY_ID_BYTES + 32
_SIGNATURE_BYTES: Final = 2 + _KEY_ID_BYTES + 64
_SECRET_KEY_BYTES: Final = 158
_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
_CLAIMS: Final = ("project", "version")


@dataclass(frozen=True)
class ScryptLimits:
    """How hard a passphrase is to guess: libsodium's two numbers, memory in bytes."""

    ops: int
    memory_bytes: int

    def at_least(self, other: "ScryptLimits") -> bool:
        """Whether neither number is below ``other``'s."""
        return self.ops >= other.ops and self.memory_bytes >= other.memory_bytes


#: What stock minisign writes (KEY-1); also the most that we are willing to compute.
STOCK_LIMITS: Final = ScryptLimits(ops=33_554_432, memory_bytes=1_073_741_824)


@dataclass(frozen=True)
class MinisignPublicKey:
    """A public key. The ID is random, not derived: trust compares ``line``, never the ID."""

    key_id: bytes
    ed25519: bytes

    @property
    def shown_id(self) -> str:
        """The key ID as stock minisign prints it."""
        return shown_key_id(self.key_id)

    @property
    def line(self) -> str:
        """The base64 line, as in a public key file and for ``minisign -P``."""
        return base64.b64encode(KEY_ALGORITHM + self.key_id + self.ed25519).decode("ascii")


@dataclass(frozen=True)
class MinisignSignature:
    """One prehashed signature file."""

    untrusted_comment: str
    key_id: bytes
    signature: bytes
    trusted_comment: str
    comment_signature: bytes

    @property
    def commented_bytes(self) -> bytes:
        """What ``comment_signature`` signs."""
        return self.signature + self.trusted_comment.encode()


@dataclass(frozen=True)
class SecretKeyHeader:
    """The clear part of a secret key file: never the key itself."""

    is_encrypted: bool
    limits: ScryptLimits


def shown_key_id(key_id: bytes) -> str:
    """The 8 bytes as a little-endian number in upper hex without leading zeros (stock's %lX)."""
    return f"{int.from_bytes(key_id, 'little'):X}"


def parse_public_key(line: str) -> MinisignPublicKey:
    """Parse the base64 line of a public key; ``FormatError`` if it is anything else."""
    blob = _decode(line, _PUBLIC_KEY_BYTES, "public key")
    if blob[:2] != KEY_ALGORITHM:
        raise _malformed("public key", "its algorithm is not Ed25519")
    return MinisignPublicKey(key_id=blob[2:10], ed25519=blob[10:])


def parse_public_key_file(data: bytes) -> MinisignPublicKey:
    """Parse a two-line public key file."""
    comment, line = _lines(data, 2, "public key")
    _comment(comment, _UNTRUSTED, MAX_UNTRUSTED_COMMENT_BYTES, "public key")
    return parse_public_key(line)


def render_public_key_file(key: MinisignPublicKey) -> bytes:
    """The file that stock minisign would write for this key."""
    return f"{_UNTRUSTED}minisign public key {key.shown_id}\n{key.line}\n".encode("ascii")


def parse_signature(data: bytes) -> MinisignSignature:
    """Parse a four-line ``.minisig`` file."""
    what = "signature"
    untrusted, line, trusted, comment_line = _lines(data, 4, what)
    blob = _decode(line, _SIGNATURE_BYTES, what)
    if blob[:2] == _LEGACY:
        raise FormatError(
            "SIG-2/legacy",
            "This is a minisign signature of the old kind (Ed), which is not accepted.",
            "Ask for a prehashed signature: minisign -S without -l.",
        )
    if blob[:2] != PREHASHED:
        raise _malformed(what, "its algorithm is unknown")
    return MinisignSignature(
        untrusted_comment=_comment(untrusted, _UNTRUSTED, MAX_UNTRUSTED_COMMENT_BYTES, what),
        key_id=blob[2:10],
        signature=blob[10:],
        trusted_comment=_comment(trusted, _TRUSTED, MAX_TRUSTED_COMMENT_BYTES, what),
        comment_signature=_decode(comment_line, 64, what),
    )


def parse_secret_key_header(data: bytes) -> SecretKeyHeader:
    """Read the algorithms and scrypt limits of a secret key file, and nothing secret.

    Offsets in the 158 bytes: signature algorithm 0, KDF 2, checksum algorithm 4,
    salt 6, opslimit 38, memlimit 46, encrypted key 54.
    """
    what = "secret key"
    comment, line = _lines(data, 2, what)
    _comment(comment, _UNTRUSTED, MAX_UNTRUSTED_COMMENT_BYTES, what)
    blob = _decode(line, _SECRET_KEY_BYTES, what)
    if blob[:2] != KEY_ALGORITHM or blob[4:6] != b"B2":
        raise _malformed(what, "its algorithms are unknown")
    if blob[2:4] not in {b"Sc", b"\0\0"}:
        raise _malformed(what, "its passphrase hashing is unknown")
    return SecretKeyHeader(
        is_encrypted=blob[2:4] == b"Sc",
        limits=ScryptLimits(
            ops=int.from_bytes(blob[38:46], "little"),
            memory_bytes=int.from_bytes(blob[46:54], "little"),
        ),
    )


def secret_key_salt(data: bytes) -> str:
    """The scrypt salt of a secret key file in lower hex: two copies of one file share it (CUS-3).

    ``FormatError`` for anything but an encrypted key file.
    """
    if not parse_secret_key_header(data).is_encrypted:
        raise _malformed("secret key", "it is not encrypted")
    return base64.b64decode(data.split(b"\n")[1])[6:38].hex()


def trusted_comment(project: str, version: str, file: str) -> str:
    r"""The signed comment of a release file (SIG-2): what it is, without any clock.

    Fields stand apart by tabs, as in the stock comment ``timestamp:...\tfile:...``.
    """
    for value in (project, version, file):
        if not value or not value.isascii() or not value.isprintable():
            raise FormatError(
                "SIG-2/comment",
                f"{safe_text(value, limit=200)!r} cannot stand in a trusted comment.",
                "Use plain ASCII text without control characters.",
            )
    if "/" in file:
        raise FormatError(
            "SIG-2/comment",
            f"{file!r} is a path, not a file name.",
            "Name the file alone.",
        )
    return f"project:{project}\tversion:{version}\tfile:{file}"


def file_in_comment(comment: str) -> str:
    """The name in the one ``file:`` field of a trusted comment."""
    names = [f.removeprefix("file:") for f in comment.split("\t") if f.startswith("file:")]
    if len(names) != 1 or not names[0]:
        raise FormatError(
            "SIG-2/comment-file",
            f"The trusted comment does not name one file: {safe_text(comment, limit=200)}",
            "The signature was not made by this program for a release; do not trust it for one.",
        )
    return names[0]


def claims_in_comment(comment: str) -> tuple[str | None, str | None]:
    """Project and version that a trusted comment states; None where it states none.

    Stock comments state neither. A field that stands twice is refused.
    """
    fields = [field.partition(":") for field in comment.split("\t")]
    found = {name: [value for n, _, value in fields if n == name] for name in _CLAIMS}
    if any(len(values) > 1 for values in found.values()):
        raise FormatError(
            "SIG-2/comment-twice",
            f"The trusted comment contradicts itself: {safe_text(comment, limit=200)}",
            "The signature was not made by this program for a release; do not trust it for one.",
        )
    project, version = (next(iter(found[name]), None) for name in _CLAIMS)
    return project, version


def check_file_in_comment(comment: str, name: str) -> None:
    """Refuse a renamed file that still carries its old, valid signature."""
    signed = file_in_comment(comment)
    if signed != name:
        raise BadSignature(
            "SIG-2/renamed",
            f"The signature was made for {safe_text(signed, limit=200)!r}, "
            f"not for {safe_text(name, limit=200)!r}.",
            "Give the file its own name back, or fetch the right signature.",
        )


def _lines(data: bytes, count: int, what: str) -> list[str]:
    if len(data) > MAX_FILE_BYTES:
        raise _malformed(what, f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(what, "it is not text") from error
    # Some writers (py-minisign among them) leave out the last newline.
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != count:
        raise _malformed(what, f"it has {len(lines)} lines instead of {count}")
    return lines


def _comment(line: str, prefix: str, limit_bytes: int, what: str) -> str:
    if not line.startswith(prefix):
        raise _malformed(what, f"a line does not start with {prefix.strip()!r}")
    comment = line.removeprefix(prefix)
    if len(comment.encode()) > limit_bytes:
        raise _malformed(what, "a comment is too long")
    # A tab is what the stock comment is made with; nothing else invisible is accepted.
    if not is_safe(comment.replace("\t", " ")):
        raise _malformed(what, "a comment holds characters that cannot be seen")
    return comment


def _decode(line: str, length: int, what: str) -> bytes:
    try:
        blob = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(what, "it is not base64") from error
    if len(blob) != length:
        raise _malformed(what, f"it holds {len(blob)} bytes instead of {length}")
    # b64decode ignores the unused bits of the last character: one value, one spelling.
    if base64.b64encode(blob).decode("ascii") != line:
        raise _malformed(what, "its base64 is not canonical")
    return blob


def _malformed(what: str, why: str) -> FormatError:
    return FormatError(
        "SIG-2/format",
        f"This is not a minisign {what}: {why}.",
        "Use the file as minisign wrote it.",
    )
