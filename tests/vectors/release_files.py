# ruff: noqa: E501 - a table is read by its rows
# fmt: off
"""Bad manifests, minisign files, tags and bundles, one fault each."""

from typing import Final

from pai_signer.errors import BadSignature, FormatError, UntrustedKey
from tests.fuzzing.samples import MESSAGE, SIDE_FILE_OF
from tests.fuzzing.shells import base64_line, packed
from tests.registry_fuzz import signed
from tests.vectors.faults import (
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

_NAME: Final = SIDE_FILE_OF.encode()
_CANON: Final = "SIG-1/not-canonical"
_FOREIGN: Final = "IMP-4/manifest-"
_MINISIGN: Final = "SIG-2/format"
_HEADER: Final = "IMP-6/header"
_REF: Final = "IMP-6/ref-name"
_FIRST: Final = base64_line(1).opened
_LAST: Final = base64_line(3).opened

MANIFESTS: Final = (
    *faults(
        "manifest",
        FormatError,
        ("empty", _CANON, "it has 0 entries", only(b"")),
        ("crlf", _CANON, "other than", replaced(b"\n", b"\r\n", -1)),
        ("upper-case-digest", _CANON, "has another form", replaced(b"a" * 64, b"A" * 64)),
        ("one-space", _CANON, "has another form", replaced(b"  ", b" ")),
        ("binary-marker", _CANON, "has another form", replaced(b"  ", b" *")),
        ("tab", _CANON, "has another form", replaced(b"  ", b"\t")),
        ("short-digest", _CANON, "has another form", replaced(b"a" * 64, b"a" * 63)),
        ("sha-512", _CANON, "has another form", replaced(b"a" * 64, b"a" * 128)),
        ("bsd-line", _CANON, "has another form", prepended(b"SHA256 (x) = " + b"a" * 64 + b"\n")),
        ("comment", _CANON, "has another form", prepended(b"# by hand\n")),
        ("byte-order-mark", _CANON, "has another form", prepended(b"\xef\xbb\xbf")),
        ("blank-line", _CANON, "has another form", appended(b"\n")),
        ("not-sorted", _CANON, "not sorted", lines_swapped(0, 1)),
        ("listed-twice", _CANON, "not unique", line_twice(0)),
        ("no-final-newline", _CANON, "not ended by a newline", cut(1)),
        ("parent-folder", _CANON, "characters other than", replaced(_NAME, b"../x.iso")),
        ("absolute-path", _CANON, "characters other than", replaced(_NAME, b"/etc/x.iso")),
        ("option", _CANON, "starts with a hyphen", replaced(_NAME, b"-rf")),
        ("hidden", _CANON, "starts with a dot", replaced(_NAME, b".iso")),
        ("two-dots", _CANON, "two dots in a row", replaced(_NAME, b"a..iso")),
        ("reserved-on-fat", _CANON, "reserved on FAT", replaced(_NAME, b"con.iso")),
        ("escape-sequence", _CANON, "characters other than", replaced(_NAME, b"\x1b[2Jx.iso")),
        ("name-with-space", _CANON, "characters other than", replaced(_NAME, b"pai 1.iso")),
        ("name-too-long", _CANON, "longer than 200 bytes", replaced(_NAME, b"x" * 201)),
        ("right-to-left", _CANON, "characters other than", replaced(_NAME, b"\xe2\x80\xaeosi")),
        ("differ-in-case", _CANON, "differ only in case", appended(b"c" * 64 + b"  PAI-1.2.3-arm64.iso\n")),
        ("zero-byte", _CANON, "characters other than", replaced(_NAME, b"x\0.iso")),
    ),
    *faults(
        "checksums",
        FormatError,
        ("two-digests", _FOREIGN + "conflict", "two different digests", replaced(b"arm64", b"amd64")),
        ("error-page", _FOREIGN + "empty", "no SHA-256 digest", only(b"<html>404: Not Found</html>\n")),
        ("escaped-name", _FOREIGN + "escaped", "line 1 holds an escaped name", prepended(b"\\")),
        ("zero-byte", _FOREIGN + "control", "line 1 has a control byte", replaced(b".iso", b"\0.iso")),
        ("parent-folder", _FOREIGN + "name", "other than letters", replaced(_NAME, b"../" + _NAME)),
        ("bsd-folder", _FOREIGN + "name", "other than letters", replaced(_NAME, b"../" + _NAME), 1),
        ("option", _FOREIGN + "name", "starts with a hyphen", replaced(_NAME, b"-" + _NAME)),
        ("not-utf-8", _FOREIGN + "name", "other than letters", replaced(_NAME, b"\xff" + _NAME)),
        ("differ-in-case", _FOREIGN + "twins", "differ only in case", replaced(b"arm64", b"AMD64")),
        ("backup-manifest", _FOREIGN + "backup", "the manifest of a backup", prepended(b"# PAI BACKUP MANIFEST, not a release\n")),
    ),
    *faults(
        "side-file",
        FormatError,
        ("other-file", _FOREIGN + "other-file", "it is for pai-1.2.3-arm64", replaced(b"amd64", b"arm64")),
        ("short-bare-digest", _FOREIGN + "empty", "no SHA-256 digest", cut(2), 1),
        ("two-bare-digests", _FOREIGN + "empty", "no SHA-256 digest", line_twice(0), 1),
    ),
)

_REFS: Final = "EXP-5/tag-list"

LIVE: Final = (
    *faults(
        "live-list",
        FormatError,
        ("empty", "EXP-5/list", "no SHA-256 digest", only(b"")),
        ("escaped-name", "EXP-5/list", "an escaped name", prepended(b"\\")),
        ("parent-folder", "EXP-5/list", "other than letters", replaced(_NAME, b"../" + _NAME)),
        ("two-digests", "EXP-5/list", "two different digests", replaced(b"arm64", b"amd64")),
    ),
    *faults(
        "live-tag",
        FormatError,
        ("error-page", _REFS, "no line of 'git ls-remote'", only(b"fatal: not a repository\n")),
        ("short-object", _REFS, "no line of 'git ls-remote'", replaced(b"1" * 40, b"1" * 39)),
        ("upper-case", _REFS, "no line of 'git ls-remote'", replaced(b"2" * 40, b"A" * 40)),
        ("spaces", _REFS, "no line of 'git ls-remote'", replaced(b"\t", b" ")),
        ("escape-sequence", _REFS, "no line of 'git ls-remote'", replaced(b"refs", b"\x1b[2Jrefs")),
        ("twice", _REFS, "a second one of the same ref", line_twice(0)),
        ("blank-line", _REFS, "no line of 'git ls-remote'", appended(b"\n")),
    ),
)

MINISIGN: Final = (
    *faults(
        "minisig",
        FormatError,
        ("empty", _MINISIGN, "1 lines instead of 4", only(b"")),
        ("no-trusted-comment", _MINISIGN, "3 lines instead of 4", without_line(2)),
        ("blank-line-behind", _MINISIGN, "5 lines instead of 4", appended(b"\n")),
        ("second-signature-behind", _MINISIGN, "8 lines instead of 4", lambda data: data * 2),
        ("crlf", _MINISIGN, "cannot be seen", replaced(b"key\n", b"key\r\n")),
        ("other-heading", _MINISIGN, "does not start with", replaced(b"untrusted", b"Untrusted")),
        ("escape-sequence", _MINISIGN, "cannot be seen", replaced(b"project:", b"\x1b[2J")),
        ("right-to-left", _MINISIGN, "cannot be seen", replaced(b"project:", b"\xe2\x80\xae")),
        ("long-comment", _MINISIGN, "a comment is too long", replaced(b"project:", b"x" * 8200)),
        ("not-utf-8", _MINISIGN, "it is not text", replaced(b"project:", b"\xff")),
        ("not-base64", _MINISIGN, "it is not base64", replaced(b"\nRUQ", b"\nRU*")),
        ("space-in-base64", _MINISIGN, "it is not base64", replaced(b"\nRUQ", b"\nRUQ ")),
        ("other-base64", _MINISIGN, "base64 is not canonical", matched(rb"[AQgw](?===\n)", b"B")),
        ("short-signature", _MINISIGN, "73 bytes instead of 74", inside(_FIRST, cut(1))),
        ("long-signature", _MINISIGN, "75 bytes instead of 74", inside(_FIRST, appended(b"\0"))),
        ("unknown-algorithm", _MINISIGN, "algorithm is unknown", inside(_FIRST, patched(0, b"XX"))),
        ("legacy", "SIG-2/legacy", "of the old kind (Ed)", inside(_FIRST, patched(0, b"Ed"))),
    ),
    *faults(
        "minisig-verified",
        BadSignature,
        ("flipped-signature", "SIG-2/comment-signature", "comment was changed", inside(_FIRST, patched(-1, b"\xff"))),
        ("flipped-comment-signature", "SIG-2/comment-signature", "comment was changed", inside(_LAST, patched(0, b"\xff"))),
        ("other-version", "SIG-2/comment-signature", "comment was changed", replaced(b"registry-4", b"registry-5")),
        ("other-file", "SIG-2/signature", "does not belong to this file", only(signed(MESSAGE + b"\n", 2))),
        ("huge-scalar", "SIG-2/comment-signature", "comment was changed", inside(_LAST, patched(32, b"\xff" * 32))),
    ),
    *faults("minisig-verified", UntrustedKey, ("other-key", "SIG-2/key-id", "is not by key 2", only(signed(MESSAGE, 3))), ("other-key-id", "SIG-2/key-id", "is not by key 2", inside(_FIRST, patched(2, b"\x03")))),
    *faults(
        "minisign-public",
        FormatError,
        ("one-line", _MINISIGN, "1 lines instead of 2", without_line(0)),
        ("two-keys", _MINISIGN, "3 lines instead of 2", line_twice(1)),
        ("short-key", _MINISIGN, "41 bytes instead of 42", inside(_FIRST, cut(1))),
        ("other-algorithm", _MINISIGN, "algorithm is not Ed25519", inside(_FIRST, patched(0, b"ED"))),
        ("secret-key", _MINISIGN, "158 bytes instead of 42", inside(_FIRST, only(bytes(158)))),
    ),
    *faults(
        "minisign-secret",
        FormatError,
        ("public-key", _MINISIGN, "42 bytes instead of 158", inside(_FIRST, only(bytes(42)))),
        ("not-encrypted", _MINISIGN, "it is not encrypted", inside(_FIRST, patched(2, b"\0\0"))),
        ("unknown-hashing", _MINISIGN, "passphrase hashing is unknown", inside(_FIRST, patched(2, b"Ar"))),
        ("unknown-checksum", _MINISIGN, "algorithms are unknown", inside(_FIRST, patched(4, b"B3"))),
        ("cut-off", _MINISIGN, "157 bytes instead of 158", inside(_FIRST, cut(1))),
    ),
)

_TAG_NAME: Final = replaced(b"tag v1.2.3", b"tag ../v1.2.3")
GIT: Final = (
    *faults(
        "tag",
        FormatError,
        ("unsigned", "SIG-4/unsigned", "carries no OpenPGP signature", matched(rb"(?s)-----BEGIN.*", b"")),
        ("text-behind", "SIG-4/signature", "does not end with its signature", appended(b"more\n")),
        ("two-signatures", "SIG-4/signature", "more than one signature", replaced(b"\niHUE", b"\n-----BEGIN PGP SIGNATURE-----\niHUE")),
        ("header-missing", "SIG-4/headers", "not those of a git tag", without_line(1)),
        ("header-twice", "SIG-4/headers", "not those of a git tag", line_twice(0)),
        ("headers-swapped", "SIG-4/headers", "not those of a git tag", lines_swapped(0, 1)),
        ("of-a-tree", "SIG-4/type", "points at a tree", replaced(b"type commit", b"type tree")),
        ("short-object-id", "SIG-4/target", "full object ID", replaced(b"0123456789abcdef", b"0123456789abcde")),
        ("upper-case-object-id", "SIG-4/target", "full object ID", replaced(b"abcdef", b"ABCDEF")),
        ("path-as-name", "SIG-4/tag-name", "is not a tag name", _TAG_NAME),
        ("option-as-name", "SIG-4/tag-name", "is not a tag name", replaced(b"tag v", b"tag -v")),
        ("lock-as-name", "SIG-4/tag-name", "is not a tag name", replaced(b"tag v1.2.3", b"tag v1.2.3.lock")),
        ("no-email", "SIG-4/tagger", "tagger line is malformed", replaced(b" <mia@example.org>", b"")),
        ("time-out-of-range", "SIG-4/tagger", "time is out of range", replaced(b"1795459265", b"9" * 12)),
        ("other-spelling-of-time", "SIG-4/spelling", "not spelled as git spells it", replaced(b" 1795459265", b" 01795459265")),
        ("escape-sequence", "SIG-4/message", "control character", replaced(b"PAI v", b"\x1b[2Jv")),
        ("empty-message", "SIG-4/message", "empty or has stray empty lines", replaced(b"\n\nPAI v1.2.3\n", b"\n\n\n")),
        ("not-utf-8", "SIG-4/encoding", "is not UTF-8", replaced(b"PAI v", b"\xff")),
        ("too-large", "SIG-4/size", "is larger than", replaced(b"PAI v", b"x" * 70_000)),
    ),
    *faults(
        "tag-bundle",
        FormatError,
        ("no-bundle", "EXP-1/tag-bundle-header", "does not end", only(b"gitdir: /elsewhere/.git\n")),
        ("version-4", "EXP-1/tag-bundle-header", "version 2 or 3", replaced(b"v2", b"v4")),
        ("a-branch", "EXP-1/tag-bundle-refs", "exactly one tag", replaced(b"refs/tags/v1", b"refs/heads/v1")),
        ("two-refs", "EXP-1/tag-bundle-refs", "exactly one tag", line_twice(2)),
        ("path-as-name", "SIG-4/tag-name", "is not a tag name", replaced(b"refs/tags/v1", b"refs/tags/../v1")),
        ("option-as-name", "SIG-4/tag-name", "is not a tag name", replaced(b"refs/tags/v1", b"refs/tags/--v1")),
        ("other-object-id", "EXP-1/tag-bundle-oid", "not the one that it names", matched(rb"\n[0-9a-f]{4}(?=[0-9a-f]{36} refs)", b"\n0000")),
        ("flipped", "EXP-1/tag-bundle-checksum", "damaged or cut off", patched(-30, b"\xff\xff")),
        ("cut-off", "EXP-1/tag-bundle-checksum", "damaged or cut off", cut(5)),
        ("two-objects", "EXP-1/tag-bundle-pack", "exactly one object", lambda d: packed(replaced(b"\0\0\0\x01", b"\0\0\0\x02")(d))),
        ("a-blob", "EXP-1/tag-bundle-type", "is not a tag", lambda d: packed(matched(rb"(?s)(?<=\0\0\0\x01).", b"\xb0")(d))),
        ("declares-too-much", "EXP-1/tag-bundle-size", "is larger than", lambda d: packed(matched(rb"(?s)(?<=\0\0\0\x01).", b"\xc0\xff\xff\x7f")(d))),
        ("not-zlib", "EXP-1/tag-bundle-zlib", "cannot be unpacked", lambda d: packed(replaced(b"x\x9c", b"xx")(d))),
    ),
    *faults(
        "bundle-header",
        FormatError,
        ("pointer-to-a-repository", "IMP-6/not-a-bundle", "does not begin as one", only(b"gitdir: /elsewhere/.git\n")),
        ("version-9", "IMP-6/not-a-bundle", "does not begin as one", replaced(b"v2", b"v9")),
        ("no-end", _HEADER, "does not end", replaced(b"\n\n", b"\n")),
        ("filtered", "IMP-6/capability", "it is filtered", replaced(b"@object-format=sha1", b"@filter=blob:none"), 1),
        ("sha-256", "IMP-6/capability", "not SHA-1", replaced(b"sha1", b"sha256"), 1),
        ("no-refs", "IMP-6/refs", "brings no branch", only(b"# v2 git bundle\n\n")),
        ("option", _REF, "not plainly safe", replaced(b"refs/heads/main", b"--upload-pack=x")),
        ("option-behind-a-slash", _REF, "not plainly safe", replaced(b"heads/main", b"heads/-x")),
        ("parent-folder", _REF, "not plainly safe", replaced(b"heads/main", b"heads/../../config")),
        ("hidden", _REF, "not plainly safe", replaced(b"heads/main", b"heads/.main")),
        ("lock", _REF, "not plainly safe", replaced(b"heads/main", b"heads/main.lock")),
        ("at-brace", _REF, "not plainly safe", replaced(b"heads/main", b"heads/@{1}")),
        ("named-twice", _REF, "not plainly safe", line_twice(3)),
        ("name-and-folder", _REF, "contradict each other", replaced(b"\n\n", b"\n" + b"1" * 40 + b" refs/heads/main/x\n\n")),
        ("short-object-id", _HEADER, "header line is malformed", replaced(b"1" * 40, b"1" * 39)),
        ("space-in-a-name", _HEADER, "header line is malformed", replaced(b"heads/main", b"heads/ma in")),
    ),
)
