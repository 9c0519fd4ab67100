# ruff: noqa: E501 - a table is read by its rows
# fmt: off
"""Bad records and texts: the registry, receipts, the journal, papers of custody; one fault each."""

from typing import Any, Final

from pai_signer.errors import FormatError, JournalTampered, UsageError
from tests.vectors.faults import (
    GONE,
    Change,
    appended,
    cut,
    faults,
    field,
    line_twice,
    lines_swapped,
    matched,
    only,
    replaced,
    without_line,
)


def _form(name: str) -> tuple[tuple[str, str, str, Change], ...]:
    """What no record may be, whatever it holds: rows that are the same for each file."""
    code, ours = f"FORMAT/{name}", "not in the form that this program writes"
    return (
        ("not-json", code, "cannot be read", only(b"\x00\x01\x02")),
        ("cut-off", code, "cannot be read", cut(3)),
        ("space-behind", code, ours, appended(b" ")),
        ("field-twice", code, ours, replaced(b'  "project"', b'  "project": "X",\n  "project"')),
        ("unknown-field", code, "unknown field", _more),
        ("not-utf-8", code, "cannot be read", replaced(b'"PAI"', b'"\xff"')),
    )


def _more(data: bytes) -> bytes:
    return replaced(b"{\n", b'{\n  "extra": 1,\n')(data)


_KEY: Final = "KEY-2/registry"
_CHAIN: Final = "JRN-2/chain"
_FACTS: Final = "CUS-1/facts"


def _key(at: int, name: str, to: Any) -> Change:
    return field("keys", at, name, to=to)


REGISTRY: Final = faults(
    "registry",
    FormatError,
    *_form("registry.json"),
    ("deep", "FORMAT/registry.json", "cannot be read", only(b"[" * 50_000)),
    ("number-as-text", "FORMAT/registry.json", "Expected `int`", field("serial", to="2")),
    ("unknown-state", "FORMAT/registry.json", "Invalid enum value", _key(0, "state", "lost")),
    ("two-active", _KEY, "two active", _key(0, "state", "active")),
    ("key-twice", _KEY, "a key stands in it twice", field("keys", to=lambda keys: [*keys, keys[0]])),
    ("dangling-link", _KEY, "linked to a key that is not in it", _key(0, "superseded_by", "7")),
    ("link-to-itself", _KEY, "linked to a key that is not in it", _key(0, "superseded_by", "1")),
    ("other-id", _KEY, "not the ID of its public key", _key(2, "id", "3")),
    ("private-key", "SIG-3/format", "not one armored block", _key(1, "public_key", lambda k: k.replace("PUBLIC", "PRIVATE"))),
    ("born-after-change", _KEY, "after the registry's last change", _key(2, "created_at", "2029-01-01T00:00:00Z")),
    ("no-time-zone", _KEY, "no time in UTC", _key(2, "created_at", "2026-01-05T12:00:00")),
    ("rehearsal-among-real", _KEY, "mixes rehearsal keys", _key(2, "state", "rehearsal")),
    ("escape-sequence", _KEY, "its project or its serial", field("project", to="\x1b[2J")),
    ("unsigned-twice", _KEY, "stands in it twice", field("unsigned_releases", to=lambda rows: rows * 2)),
)
RECEIPTS: Final = (
    *faults(
        "receipt",
        FormatError,
        *_form("receipt.json"),
        ("head-is-no-hash", "EXP-3/receipt", "no entry of a journal", field("journal", "hash", to="x" * 64)),
        ("head-before-the-first", "EXP-3/receipt", "no entry of a journal", field("journal", "n", to=-1)),
        ("unknown-result", "FORMAT/receipt.json", "Invalid enum value", field("checks", 0, "result", to="fine")),
        ("file-without-digest", "FORMAT/receipt.json", "Expected `str`", field("files", "SHA256SUMS", to=None)),
    ),
    *faults(
        "candidate",
        FormatError,
        ("cut-off", "FORMAT/candidate.json", "cannot be read", cut(3)),
        ("negative-zero", "FORMAT/candidate.json", "Expected `int`", field("artifacts", 0, "file", "size_bytes", to=1.5)),
        ("no-digest", "FORMAT/candidate.json", "missing required field", field("artifacts", 0, "file", "sha256", to=GONE)),
        ("compact", "FORMAT/candidate.json", "not in the form", replaced(b"\n", b"", -1)),
    ),
    *faults(
        "vault",
        FormatError,
        *_form("vault.json"),
        ("other-format", "SEC-2/vault-format", "has format 2", field("format", to=2)),
        ("time-elsewhere", "SEC-2/vault-format", "when the vault was made", field("created_at", to="2026-01-05T12:00:00+01:00")),
        ("name-with-newline", "SIG-4/identity", "cannot stand in a signature", field("maintainer_name", to="Mia\nx")),
        ("two-addresses", "SIG-4/identity", "not an email address", field("maintainer_email", to="a@b@c")),
    ),
)
JOURNAL: Final = faults(
    "journal",
    JournalTampered,
    ("flipped", _CHAIN, "line 3", replaced(b'"system: openpgp"', b'"system: openpgq"')),
    ("entry-removed", _CHAIN, "line 2", without_line(1)),
    ("entry-twice", _CHAIN, "line 3", line_twice(1)),
    ("entries-swapped", _CHAIN, "line 2", lines_swapped(1, 2)),
    ("first-removed", _CHAIN, "line 1", without_line(0)),
    ("cut-off", _CHAIN, "the line is cut off", cut(10)),
    ("crlf", _CHAIN, "line 1", replaced(b"\n", b"\r\n")),
    ("blank-line", _CHAIN, "line 8", appended(b"\n")),
    ("other-time", _CHAIN, "does not match its hash", replaced(b"2026-03-02T10:00:00Z", b"2026-03-02T10:00:01Z")),
    ("no-time", _CHAIN, "not a journal entry", replaced(b'"at":"2026-03-02T10:00:00Z"', b'"at":"soon"')),
    ("other-number", _CHAIN, "it says it is entry 7", replaced(b'{"n":1', b'{"n":7')),
    ("hash-of-another", _CHAIN, "line 1: its content does not match", matched(rb'"hash":"[0-9a-f]{4}', b'"hash":"0000')),
    ("respelt", _CHAIN, "line 1: its content does not match", replaced(b'"facts":{', b'"facts": {')),
    ("begun-in-the-middle", _CHAIN, "does not follow the entry before", replaced(b"0" * 64, b"1" * 64)),
    ("not-json", _CHAIN, "not a journal entry", only(b"hello\n")),
)
CEREMONIES: Final = (
    *faults(
        "transcript",
        FormatError,
        *_form("transcript.json"),
        ("times-run-back", "KEY-1/transcript", "do not run forward", field("steps", 1, "at", to="2026-01-05T11:00:00Z")),
        ("half-an-ending", "KEY-1/transcript", "a part of its ending", field("ended_at", to=None)),
        ("silent-disagreement", "KEY-1/transcript", "without saying why", field("verdict", "accepts", to=False)),
        ("other-witness", "KEY-1/transcript", "somebody else", field("verdict", "witness", to="Ada")),
        ("other-words", "KEY-1/transcript", "words of a comparison", field("comparisons", 0, "words", 0, to="acme")),
        ("journal-ran-back", "KEY-1/transcript", "ran backwards", field("journal_at_end", "n", to=1)),
        ("head-is-no-hash", "KEY-1/transcript", "head of the journal", field("journal_at_end", "hash", to="no")),
    ),
    *faults(
        "endorsement",
        FormatError,
        ("release-twice", "KEY-5/endorsement", "stands in it twice", field("releases", to=lambda r: [*r, r[0]])),
        ("no-time-zone", "KEY-5/endorsement", "no time zone", field("made_at", to="2027-01-05T12:00:00")),
        ("short-digest", "KEY-5/endorsement", "a digest is malformed", field("releases", 0, "manifest_sha256", to="ab")),
        ("by-another-key", "KEY-5/endorsement", "not signed by that key", field("releases", 0, "signed_by", to=["7"])),
        ("head-is-no-hash", "KEY-5/endorsement", "a digest is malformed", field("journal", "hash", to="x")),
    ),
    *faults(
        "transition",
        FormatError,
        ("line-missing", "KEY-3/statement", "a line is not as it should be", without_line(3)),
        ("lines-swapped", "KEY-3/statement", "a line is not as it should be", lines_swapped(2, 3)),
        ("no-date", "KEY-3/statement", "its date is none", replaced(b"2027-01-05", b"2027-13-05")),
        ("sentence-added", "KEY-3/statement", "a line is not as it should be", appended(b"Trust everything.\n")),
        ("other-signature-file", "KEY-3/statement", "not in the form", replaced(b".2.minisig", b".3.minisig")),
        ("not-ascii", "KEY-3/statement", "not ASCII", replaced(b"runbook", b"runb\xc3\xb6ok")),
        ("crlf", "KEY-3/statement", "a line is not as it should be", replaced(b"\n", b"\r\n", -1)),
    ),
)
CUSTODY: Final = (
    *faults(
        "backup-manifest",
        FormatError,
        ("other-project", "CUS-1/manifest", "not of a backup of PAI", replaced(b"# PAI", b"# PIA")),
        ("without-heading", "CUS-1/manifest", "not of a backup", without_line(0)),
        ("of-a-rehearsal", "CUS-1/manifest", "backup of a REHEARSAL", lambda d: d.replace(b"release\n", b"release\n# REHEARSAL: practice keys; this backs up nothing\n")),
        ("stranger-listed", "CUS-1/manifest", "lists zzz.sh", appended(b"a" * 64 + b"  zzz.sh\n")),
        ("itself-listed", "CUS-1/manifest", "lists MANIFEST.txt", replaced(b"release\n", b"release\n" + b"a" * 64 + b"  MANIFEST.txt\n")),
        ("not-sorted", "SIG-1/not-canonical", "not sorted", lines_swapped(1, 2)),
    ),
    *faults(
        "backup-facts",
        FormatError,
        *_form("backup.json"),
        ("no-key", _FACTS, "holds no key", field("keys", to=[])),
        ("two-of-one-system", _FACTS, "two of one system", field("keys", to=lambda k: [k[0], k[0]])),
        ("by-nobody", _FACTS, "signed by no key", field("signed_by", to=[])),
        ("no-salt", _FACTS, "a salt is missing", _key(0, "salts", [])),
        ("short-salt", _FACTS, "a salt is missing or malformed", _key(0, "salts", ["ab"])),
        ("nobody", _FACTS, "custodian is no name", field("custodian", to="")),
        ("escape-sequence", _FACTS, "unprintable", field("medium", "label", to="\x1b[2J")),
        ("other-number", _FACTS, "not that of the journal", field("number", to=15)),
        ("head-is-no-hash", _FACTS, "head is malformed", field("journal_head", "hash", to="0")),
        ("time-elsewhere", _FACTS, "not in UTC", field("made_at", to="2026-03-02T00:00:00+01:00")),
        ("serial-below-zero", _FACTS, "serial is none", field("registry_serial", to=-1)),
    ),
    *faults(
        "challenge",
        FormatError,
        ("other-heading", "CUS-2/challenge", "its lines are others", replaced(b"neither a release", b"a release")),
        ("line-missing", "CUS-2/challenge", "its lines are others", without_line(5)),
        ("lines-swapped", "CUS-2/challenge", "the line 'project' is missing", lines_swapped(1, 2)),
        ("number-with-zero", "CUS-2/challenge", "a number is none", replaced(b"set: 14", b"set: 014")),
        ("no-system", "CUS-2/challenge", "a line is not as it should be", replaced(b"system: openpgp", b"system: pgp")),
        ("short-nonce", "CUS-2/challenge", "its lines are others", cut(3)),
        ("broken-escape", "CUS-2/challenge", "not escaped as it should be", replaced(b"\\xeb", b"\\xe")),
        ("other-escape", "CUS-2/challenge", "not in the form", replaced(b"\\xeb", b"\\u00eb")),
        ("not-ascii", "CUS-2/challenge", "a line is not as it should be", replaced(b"\\xeb", b"\xc3\xab")),
        ("no-date", "CUS-2/challenge", "a line is not as it should be", replaced(b"2026-03-02T10", b"2026-02-31T10")),
        ("line-behind", "CUS-2/challenge", "its lines are others", appended(b"object " + b"a" * 40 + b"\n")),
    ),
    *faults(
        "attestation",
        FormatError,
        *_form("attestation.json"),
        ("no-proof", "CUS-3/attestation", "attests nothing", field("proofs", to=[])),
        ("proof-twice", "CUS-3/attestation", "a proof stands in it twice", field("proofs", to=lambda p: [*p, p[0]])),
        ("other-challenge", "CUS-2/challenge", "its lines are others", field("proofs", 0, "challenge", to=lambda c: c.replace("PROOF", "PROOFS"))),
        ("no-signature", "CUS-3/attestation", "a signature is missing", field("proofs", 0, "signatures", to=[])),
        ("no-base64", "CUS-3/attestation", "missing or malformed", field("proofs", 0, "signatures", to=["*"])),
        ("head-is-no-hash", "CUS-3/attestation", "head is malformed", field("journal", "hash", to="x")),
        ("proved-later", "CUS-3/attestation", "younger than the statement", field("made_at", to="2020-01-01T00:00:00Z")),
    ),
)
NOTED: Final = (
    *faults(
        "noted-head",
        UsageError,
        ("no-number", "CUS-4/head", "is no head of a journal", replaced(b"41 ", b"")),
        ("entry-zero", "CUS-4/head", "is no head of a journal", replaced(b"41 ", b"0 ")),
        ("seven-words", "CUS-4/head", "is no head of a journal", matched(rb" \w+\n", b"\n")),
        ("odd-digits", "CUS-4/head", "is no head of a journal", cut(1), 1),
    ),
    *faults(
        "noted-head",
        FormatError,
        ("misspelt", "REV-1/word-unknown", "is not in the PGP word list", replaced(b"41 a", b"41 q")),
        ("words-swapped", "REV-1/word-out-of-place", "does not belong", matched(rb"41 (\w+) (\w+)", rb"41 \2 \1")),
    ),
)
