"""The text that a backup signs: one spelling, and worthless for anything else (CUS-2)."""

import base64
import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.backup import parse_manifest as parse_backup_manifest
from pai_signer.domain.challenge import (
    FIRST_LINE,
    Challenge,
    parse_challenge,
    proved_facts,
    render_challenge,
)
from pai_signer.domain.custody import BACKUP_PROVED, MediumIdentity, ProvedFacts
from pai_signer.domain.journal import encode_entry, next_entry, parse_journal
from pai_signer.domain.manifest import parse_foreign_manifest, parse_manifest
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.tag import parse_tag
from pai_signer.errors import FormatError

CHALLENGE: Final = Challenge(
    project="PAI",
    rehearsal=False,
    custodian="Zoë Łukasz",
    medium=MediumIdentity(uuid="1A2B-3C4D", serial="", label="PAI \\ A "),
    set_number=14,
    algorithm=Algorithm.OPENPGP,
    key_id="0123456789ABCDEF0123456789ABCDEF01234567",
    journal=JournalHead(n=17, hash="ab" * 32),
    at=datetime(2026, 3, 2, 10, 0, 1, tzinfo=UTC),
    nonce="cd" * 32,
)
#: Names that make lines which look most like something else.
HOSTILE: Final = (
    f"{'a' * 64}  pai-1.2.3-amd64.iso",
    "object " + "a" * 40,
    "SHA256 (x.iso) = " + "b" * 64,
)


def changed(**changes: Any) -> Challenge:
    return msgspec.structs.replace(CHALLENGE, **changes)


def test_it_is_ascii_and_says_everything() -> None:
    assert render_challenge(CHALLENGE).decode("ascii") == (
        "# PROOF OF POSSESSION, neither a release nor a tag\n"
        "project: PAI\n"
        "custodian: Zo\\xeb \\u0141ukasz\n"
        "medium uuid: 1A2B-3C4D\n"
        "medium serial:\n"
        "medium label: PAI \\\\ A \n"
        "backup set: 14\n"
        "system: openpgp\n"
        "key: 0123456789ABCDEF0123456789ABCDEF01234567\n"
        "journal entry: 17\n"
        f"journal hash: {'ab' * 32}\n"
        "time: 2026-03-02T10:00:01Z\n"
        f"nonce: {'cd' * 32}\n"
    )


@pytest.mark.parametrize("rehearsal", [False, True])
def test_it_reads_back_as_it_was(rehearsal: bool) -> None:
    challenge = changed(rehearsal=rehearsal)
    text = render_challenge(challenge)
    assert parse_challenge(text) == challenge
    assert (b"# REHEARSAL" in text) is rehearsal


BAD_VALUES: Final[dict[str, dict[str, Any]]] = {
    "a line end in a name": {"custodian": "Zoe\nkey: X"},
    "an escape in a label": {"medium": MediumIdentity(label="\x1b[31m")},
    "no custodian": {"custodian": ""},
    "no project": {"project": ""},
    "a long label": {"medium": MediumIdentity(label="x" * 201)},
    "a key ID in lower case": {"key_id": "abc"},
    "no set": {"set_number": 0},
    "a malformed head": {"journal": JournalHead(n=1, hash="AB" * 32)},
    "no entry": {"journal": JournalHead(n=0, hash="ab" * 32)},
    "a short nonce": {"nonce": "ab" * 31},
    "fractions of a second": {"at": datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC)},
    "no time zone": {"at": datetime(2026, 1, 1)},
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_value_that_cannot_stand_in_it_is_refused(case: str) -> None:
    with pytest.raises(FormatError) as error:
        render_challenge(changed(**BAD_VALUES[case]))
    assert error.value.code == "CUS-2/challenge"


TEXT: Final = render_challenge(CHALLENGE)
BAD_TEXTS: Final = {
    "nothing": b"",
    "no final newline": TEXT[:-1],
    "a line more": TEXT + b"x: y\n",
    "a line less": TEXT[: TEXT.index(b"nonce")],
    "CR LF": TEXT.replace(b"\n", b"\r\n"),
    "another first line": TEXT.replace(b"# PROOF", b"# Proof"),
    "another spelling of an escape": TEXT.replace(b"\\xeb", b"\\u00eb"),
    "an unknown escape": TEXT.replace(b"\\xeb", b"\\q"),
    "a needless escape": TEXT.replace(b"project: PAI", b"project: \\x50AI"),
    "a letter that is not ASCII": TEXT.replace(b"\\xeb", "ë".encode()),
    "a newline in a name": TEXT.replace(b"Zo", b"\\n"),
    "a number with a zero before it": TEXT.replace(b"set: 14", b"set: 014"),
    "an unknown system": TEXT.replace(b"openpgp", b"signify"),
    "no time": TEXT.replace(b"10:00:01Z", b"25:00:01Z"),
    "two spaces": TEXT.replace(b"nonce: ", b"nonce:  "),
    "too much": TEXT + b"#" * (16 << 10),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_another_spelling_is_refused(case: str) -> None:
    with pytest.raises(FormatError) as error:
        parse_challenge(BAD_TEXTS[case])
    assert error.value.code == "CUS-2/challenge"


# --- worthless for anything else -------------------------------------------------------------


def texts() -> list[bytes]:
    hostile = [
        changed(custodian=name, project=name, medium=MediumIdentity(label=name), rehearsal=r)
        for name in HOSTILE
        for r in (False, True)
    ]
    return [TEXT, *(render_challenge(challenge) for challenge in hostile)]


@pytest.mark.parametrize("text", texts())
def test_it_is_no_manifest_and_no_tag(text: bytes) -> None:
    assert text.startswith(FIRST_LINE.encode())
    for parse in (parse_manifest, parse_foreign_manifest, parse_tag):
        with pytest.raises(FormatError):
            parse(text)
    with pytest.raises(FormatError):
        parse_foreign_manifest(text, only_name="pai-1.2.3-amd64.iso")
    with pytest.raises(FormatError):
        parse_backup_manifest(text, "PAI", rehearsal=False)
    signed = text + b"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
    with pytest.raises(FormatError):
        parse_tag(signed)


def refused_by_git(text: bytes, directory: Path) -> None:
    """``git mktag`` and the check of what ``hash-object`` is told is a tag (git's own fsck)."""
    subprocess.run(["git", "init", "-q", directory], check=True)
    for command in (["mktag"], ["hash-object", "-t", "tag", "-w", "--stdin"]):
        done = subprocess.run(
            ["git", "-C", directory, *command], input=text, capture_output=True, check=False
        )
        assert done.returncode != 0, done
        assert done.stdout == b""
    # Even put into a repository unchecked, it does not pass fsck.
    forced = subprocess.run(
        ["git", "-C", directory, "hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
        input=text,
        capture_output=True,
        check=True,
    )
    fsck = subprocess.run(
        ["git", "-C", directory, "fsck", "--strict", "--unreachable"],
        capture_output=True,
        check=False,
    )
    assert fsck.returncode != 0
    assert forced.stdout.strip() in fsck.stderr + fsck.stdout


def test_git_takes_it_for_no_tag(tmp_path: Path) -> None:
    for number, text in enumerate((TEXT, texts()[3])):
        refused_by_git(text, tmp_path / str(number))


def test_sha256sum_finds_nothing_to_check_in_it(tmp_path: Path) -> None:
    for number, text in enumerate(texts()):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(text)
        done = subprocess.run(["sha256sum", "-c", path], capture_output=True, check=False)
        assert done.returncode == 1
        assert b"no properly formatted" in done.stderr


# --- its evidence in the journal ----------------------------------------------------------------


def test_the_journal_keeps_it_to_the_byte() -> None:
    facts = proved_facts(CHALLENGE, ("ab" * 32,), (b"a\tsignature\n",), "backup verify")
    entry = next_entry(None, CHALLENGE.at, BACKUP_PROVED, msgspec.to_builtins(facts))
    assert msgspec.convert(entry.facts, ProvedFacts) == facts  # nothing in it was escaped
    (read,) = parse_journal(encode_entry(entry))
    text = "".join(f"{line}\n" for line in read.facts["challenge"]).encode()
    assert parse_challenge(text) == CHALLENGE
    assert hashlib.sha256(text).hexdigest() == facts.challenge_sha256
    (signature,) = read.facts["signatures"]
    assert base64.b64decode(signature) == b"a\tsignature\n"
