"""The signed tag object, byte for byte as ``git tag -s`` writes it (SIG-4).

Layout (git-mktag(1), and ``Documentation/gitformat-signature.txt`` of git): the
headers ``object``, ``type``, ``tag`` and ``tagger``, an empty line, the message,
and right behind it the armored OpenPGP signature over every byte before it.

A verified signature alone proves little: a ref ``v2.0`` may point at the good
tag object of v1.0. So ``check_tag`` compares the object's own fields.
"""

import hashlib
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

#: Real tag objects are about 400 bytes; this leaves room for a long message.
MAX_TAG_BYTES: Final = 64 << 10

_OID: Final = re.compile(r"[0-9a-f]{40}")
# A subset of git-check-ref-format(1): one component, nothing that an option, a
# revision expression or a path could be made of.
_TAG_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_TAGGER: Final = re.compile(r"(?P<name>[^<>]+) <(?P<email>[^<> ]+)> (?P<at>\d{1,12}) \+0000")
_BEGIN: Final = b"-----BEGIN PGP SIGNATURE-----\n"
_END: Final = b"-----END PGP SIGNATURE-----\n"
# Where git itself would see a signature begin (gpg-interface.c); none may stand in a message.
_SIGNATURE_STARTS: Final = (
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP MESSAGE-----",
    "-----BEGIN SIGNED MESSAGE-----",
    "-----BEGIN SSH SIGNATURE-----",
)
# What git strips from both ends of a name and an email, beside control bytes (ident.c, "crud").
_CRUD: Final = " .,:;<>\"\\'"


class TagObject(Record, frozen=True, kw_only=True):
    """A parsed tag: ``payload`` is what ``signature`` signs, together they are the object."""

    target_oid: str
    name: str
    tagger_name: str
    tagger_email: str
    tagged_at: datetime
    message: str
    payload: bytes
    signature: bytes


def is_object_id(text: str) -> bool:
    """Whether ``text`` is a full SHA-1 object ID in lower hex."""
    return _OID.fullmatch(text) is not None


def object_id(kind: str, content: bytes) -> str:
    r"""The ID that git gives an object: SHA-1 over ``KIND SIZE\0CONTENT``, in lower hex."""
    header = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def check_tag_name(name: str) -> None:
    """Raise ``FormatError`` for a name that is not one plain, safe ref component."""
    if not _TAG_NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise _refused(
            "tag-name",
            f"{safe_text(name, limit=120)!r} is not a tag name that this program writes.",
            "Use a name such as v1.2.3: letters, digits, dots, dashes and plus signs.",
        )


def check_identity(name: str, email: str) -> None:
    """Raise ``FormatError`` for a name or an email that git or gpg would misread or rewrite.

    Both stand in tag headers and user IDs, where a newline or an angle bracket
    would forge a field. git strips some punctuation from both ends, so that is
    refused too: what was typed is what is signed.
    """
    for what, text in (("name", name), ("email", email)):
        if not text or len(text) > 200:
            raise _refused(
                "identity", f"The maintainer's {what} is empty or too long.", _IDENTITY_HINT
            )
        if not text.isprintable() or "<" in text or ">" in text or safe_text(text) != text:
            raise _refused(
                "identity",
                f"The maintainer's {what} has a character that cannot stand in a signature: "
                f"{safe_text(text, limit=120)}",
                _IDENTITY_HINT,
            )
        if text.strip(_CRUD) != text:
            raise _refused(
                "identity",
                f"git would strip the first or last character of the maintainer's {what}: {text}",
                "Leave out spaces, quotes and punctuation at both ends.",
            )
    if email.count("@") != 1 or " " in email:
        raise _refused("identity", f"This is not an email address: {email}", _IDENTITY_HINT)


def tag_payload(
    *,
    target_oid: str,
    name: str,
    tagger_name: str,
    tagger_email: str,
    tagged_at: datetime,
    message: str,
) -> bytes:
    """The bytes to sign: what ``git tag -s -m MESSAGE`` hands to gpg.

    ``message`` is without its final newline and may hold several lines; one that
    git's clean-up would rewrite is refused. Raises ``FormatError``.
    """
    if not is_object_id(target_oid):
        raise _refused("target", "The commit to tag is not a full object ID.", _REPORT_HINT)
    check_tag_name(name)
    check_identity(tagger_name, tagger_email)
    _check_message(message)
    seconds = int(tagged_at.astimezone(UTC).timestamp())
    if seconds <= 0:
        raise _refused("time", "The clock is before 1970.", "Set the clock.")
    return (
        f"object {target_oid}\ntype commit\ntag {name}\n"
        f"tagger {tagger_name} <{tagger_email}> {seconds} +0000\n\n{message}\n"
    ).encode()


def join_tag(payload: bytes, signature: bytes) -> bytes:
    """The finished tag object; what comes out has been parsed again. Raises ``FormatError``."""
    joined = payload + signature
    if parse_tag(joined).payload != payload:
        raise _refused(
            "payload", "The signature does not begin where the payload ends.", _REPORT_HINT
        )
    return joined


def parse_tag(data: bytes) -> TagObject:
    """Read a signed tag of a commit strictly; every deviation raises ``FormatError``."""
    if len(data) > MAX_TAG_BYTES:
        raise _refused(
            "size", f"The tag object is larger than {MAX_TAG_BYTES} bytes.", _OUTSIDE_HINT
        )
    start = data.find(b"\n" + _BEGIN) + 1
    if start == 0:
        raise _refused("unsigned", "The tag carries no OpenPGP signature.", _OUTSIDE_HINT)
    payload, signature = data[:start], data[start:]
    if signature.find(_END) != len(signature) - len(_END):
        raise _refused("signature", "The tag does not end with its signature.", _OUTSIDE_HINT)
    if signature.count(b"-----BEGIN ") != 1:
        raise _refused("signature", "The tag carries more than one signature.", _OUTSIDE_HINT)
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise _refused("encoding", "The tag is not UTF-8 text.", _OUTSIDE_HINT) from error
    head, _, message = text.partition("\n\n")
    lines = head.split("\n")
    if [line.partition(" ")[0] for line in lines] != ["object", "type", "tag", "tagger"]:
        raise _refused("headers", "The tag's headers are not those of a git tag.", _OUTSIDE_HINT)
    target_oid, kind, name, tagger = (line.partition(" ")[2] for line in lines)
    if not is_object_id(target_oid):
        raise _refused("target", "The tag does not name a full object ID.", _OUTSIDE_HINT)
    if kind != "commit":
        raise _refused("type", f"The tag points at a {safe_text(kind, limit=20)}.", _OUTSIDE_HINT)
    check_tag_name(name)
    tagger_name, tagger_email, tagged_at = _parse_tagger(tagger)
    _check_message(message.removesuffix("\n"))
    found = TagObject(
        target_oid=target_oid,
        name=name,
        tagger_name=tagger_name,
        tagger_email=tagger_email,
        tagged_at=tagged_at,
        message=message.removesuffix("\n"),
        payload=payload,
        signature=signature,
    )
    # Writing it again must give the very same bytes: no second spelling of a tag.
    again = tag_payload(
        target_oid=target_oid,
        name=name,
        tagger_name=tagger_name,
        tagger_email=tagger_email,
        tagged_at=tagged_at,
        message=found.message,
    )
    if again != payload:
        raise _refused("spelling", "The tag is not spelled as git spells it.", _OUTSIDE_HINT)
    return found


def check_tag(tag: TagObject, *, name: str, target_oid: str) -> None:
    """Raise ``FormatError`` unless the object itself says this name and this commit.

    The ref's name proves nothing: any ref can point at any tag object.
    """
    if tag.name != name:
        raise _refused(
            "other-name",
            f"The tag object says it is {tag.name}, not {safe_text(name, limit=120)}.",
            "Somebody may be passing off another release's tag. Do not use it.",
        )
    if tag.target_oid != target_oid:
        raise _refused(
            "other-commit",
            f"The tag object points at commit {tag.target_oid}, not {safe_text(target_oid)}.",
            "The tag is of other content than was reviewed. Do not use it.",
        )


def _parse_tagger(line: str) -> tuple[str, str, datetime]:
    match = _TAGGER.fullmatch(line)
    if match is None:
        raise _refused("tagger", "The tag's tagger line is malformed.", _OUTSIDE_HINT)
    check_identity(match["name"], match["email"])
    try:
        tagged_at = datetime.fromtimestamp(int(match["at"]), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _refused("tagger", "The tag's time is out of range.", _OUTSIDE_HINT) from error
    return match["name"], match["email"], tagged_at


def _check_message(message: str) -> None:
    """Only what ``git stripspace --strip-comments`` would leave as it is."""
    lines = message.split("\n")
    if not all(line.isprintable() for line in lines):
        raise _refused("message", "The tag message has a control character in it.", _MESSAGE_HINT)
    if lines[0] == "" or lines[-1] == "" or ("", "") in pairwise(lines):
        raise _refused(
            "message", "The tag message is empty or has stray empty lines.", _MESSAGE_HINT
        )
    if any(line != line.rstrip() or line.startswith("#") for line in lines):
        raise _refused("message", "git would rewrite a line of the tag message.", _MESSAGE_HINT)
    if any(line.startswith(_SIGNATURE_STARTS) for line in lines):
        raise _refused("message", "The tag message looks like a signature.", _MESSAGE_HINT)


_IDENTITY_HINT: Final = "Give a plain name and a plain email address, as in 'git config user.name'."
_MESSAGE_HINT: Final = "Use plain lines, such as 'PAI v1.2.3'."
_OUTSIDE_HINT: Final = "Do not use it; ask where it comes from."
_REPORT_HINT: Final = "Nothing was signed. Start the release again."


def _refused(code: str, summary: str, hint: str) -> FormatError:
    return FormatError(f"SIG-4/{code}", summary, hint)
