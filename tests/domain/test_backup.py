"""A backup set's names, manifest and facts, read as strictly as they are written (CUS-1)."""

import io
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain import manifest
from pai_signer.domain.archive import pack
from pai_signer.domain.backup import (
    ALL_NAMES,
    BACKUP_MANIFEST_NAME,
    COPIES,
    BackupFacts,
    folder_name,
    pack_ceremonies,
    pack_revocations,
    parse_facts,
    parse_folder_name,
    parse_manifest,
    render_manifest,
    required_names,
    unpack_ceremonies,
    unpack_revocations,
)
from pai_signer.domain.custody import BackupKey, KeyName, MediumIdentity
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.tag import parse_tag
from pai_signer.errors import FormatError
from tests.domain.test_challenge import refused_by_git

FACTS: Final = BackupFacts(
    project="PAI",
    rehearsal=False,
    custodian="Anna Weiß",
    number=14,
    made_at=datetime(2026, 3, 2, tzinfo=UTC),
    medium=MediumIdentity(uuid="1A2B-3C4D", serial="S1", label="PAI-A"),
    keys=(
        BackupKey(algorithm=Algorithm.MINISIGN, id="E7620F1842B4E81F", salts=("ab" * 32,)),
        BackupKey(algorithm=Algorithm.OPENPGP, id="F" * 40, salts=("cd" * 8, "ef" * 8)),
    ),
    signed_by=(
        KeyName(algorithm=Algorithm.MINISIGN, id="E7620F1842B4E81F"),
        KeyName(algorithm=Algorithm.OPENPGP, id="F" * 40),
    ),
    registry_serial=2,
    journal_head=JournalHead(n=14, hash="0" * 64),
)
FILES: Final = {"RESTORE.txt": b"card\n", "backup.json": b"{}\n", "minisign.key": b"key\n"}


def facts(**changes: Any) -> BackupFacts:
    return msgspec.structs.replace(FACTS, **changes)


# --- folders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 14, 999_999, 1_000_000, 10**12 - 1])
def test_a_folders_name_reads_back(number: int) -> None:
    names = {folder_name("pai", number, copy): copy for copy in COPIES}
    assert len(names) == 3
    for name, copy in names.items():
        assert parse_folder_name("pai", name) == (number, copy)
        assert parse_folder_name("other", name) is None
    assert folder_name("pai", 14, "a") == "pai-backup-000014-a"


@pytest.mark.parametrize(
    "name",
    [
        "pai-backup-14-a",
        "pai-backup-0000014-a",
        "pai-backup-000000-a",
        "pai-backup-000014-d",
        "pai-backup-000014-A",
        "pai-backup-000014-",
        "pai-backup-000014-a ",
        "pai-backup-000014-a-b",
        "pai-backup-00001\u0664-a",
        "PAI-backup-000014-a",
        "pai-backup-pai-backup-000014-a",
        "000014-a",
        "",
    ],
)
def test_another_folder_is_none_of_ours(name: str) -> None:
    assert parse_folder_name("pai", name) is None


@pytest.mark.parametrize(("number", "copy"), [(0, "a"), (-1, "a"), (10**12, "a"), (1, "d")])
def test_no_name_is_made_for_what_is_no_copy(number: int, copy: str) -> None:
    with pytest.raises(ValueError):
        folder_name("pai", number, copy)


# --- the manifest ----------------------------------------------------------------------------


@pytest.mark.parametrize("rehearsal", [False, True])
def test_sha256sum_accepts_the_manifest_and_catches_a_change(
    rehearsal: bool, tmp_path: Path
) -> None:
    text = render_manifest("PAI", rehearsal, FILES)
    assert text.startswith(b"# PAI BACKUP MANIFEST, not a release\n")
    assert (b"# REHEARSAL" in text) is rehearsal
    for name, data in {**FILES, BACKUP_MANIFEST_NAME: text}.items():
        (tmp_path / name).write_bytes(data)
    command = ["sha256sum", "--strict", "-c", BACKUP_MANIFEST_NAME]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "minisign.key").write_bytes(b"kez\n")
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 1


@pytest.mark.parametrize("rehearsal", [False, True])
def test_the_manifest_reads_back(rehearsal: bool) -> None:
    text = render_manifest("PAI", rehearsal, FILES)
    assert set(parse_manifest(text, "PAI", rehearsal=rehearsal)) == set(FILES)
    vault = "real keys" if rehearsal else "a REHEARSAL"
    with pytest.raises(FormatError, match=f"this vault is of {vault}"):
        parse_manifest(text, "PAI", rehearsal=not rehearsal)
    with pytest.raises(FormatError):
        parse_manifest(text, "OTHER", rehearsal=rehearsal)


@pytest.mark.parametrize("rehearsal", [False, True])
def test_it_is_no_release_manifest_and_no_tag(rehearsal: bool, tmp_path: Path) -> None:
    text = render_manifest("PAI", rehearsal, FILES)
    for parse in (manifest.parse_manifest, manifest.parse_foreign_manifest, parse_tag):
        with pytest.raises(FormatError):
            parse(text)
    with pytest.raises(FormatError):
        manifest.parse_foreign_manifest(text, only_name="minisign.key")
    refused_by_git(text, tmp_path)


def test_a_manifest_lists_neither_itself_nor_what_is_no_file_of_a_backup() -> None:
    with pytest.raises(ValueError):
        render_manifest("PAI", False, {**FILES, BACKUP_MANIFEST_NAME: b""})
    for name in ("pai-1.2.3-amd64.iso", "MANIFEST.txt", "MANIFEST.txt.asc", "restore.txt"):
        text = render_manifest("PAI", False, FILES)
        head, lines = text.splitlines(keepends=True)[0], text.splitlines(keepends=True)[1:]
        added = sorted([*lines, b"%s  %s\n" % (b"0" * 64, name.encode())], key=lambda x: x[66:])
        with pytest.raises(FormatError):
            parse_manifest(head + b"".join(added), "PAI", rehearsal=False)


MANIFEST: Final = render_manifest("PAI", False, FILES)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        MANIFEST[:-1],
        MANIFEST + b"\n",
        MANIFEST.replace(b"\n", b"\r\n"),
        MANIFEST + b"# more\n",
        MANIFEST[MANIFEST.index(b"\n") + 1 :],
        MANIFEST.splitlines(keepends=True)[0],
        MANIFEST.replace(b"  minisign", b" *minisign"),
        MANIFEST + b"0" * (16 << 10),
    ],
)
def test_another_spelling_of_a_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse_manifest(text, "PAI", rehearsal=False)


def test_a_projects_name_cannot_end_the_first_line() -> None:
    for name in ("PAI\n", "PAÏ", "\x1b"):
        with pytest.raises(FormatError):
            render_manifest(name, False, FILES)


# --- the facts -------------------------------------------------------------------------------


def test_the_facts_read_back() -> None:
    assert parse_facts(encode_record(FACTS)) == FACTS
    assert FACTS.key(Algorithm.OPENPGP) == FACTS.keys[1]
    assert facts(keys=FACTS.keys[:1]).key(Algorithm.OPENPGP) is None
    assert FACTS.signature_names == ("MANIFEST.txt.minisig", "MANIFEST.txt.asc")
    assert facts(signed_by=FACTS.signed_by[1:]).signature_names == ("MANIFEST.txt.asc",)


def key(**changes: Any) -> tuple[BackupKey, ...]:
    return (msgspec.structs.replace(FACTS.keys[0], **changes),)


BAD_FACTS: Final[dict[str, dict[str, Any]]] = {
    "no key": {"keys": ()},
    "two keys of one system": {"keys": FACTS.keys[:1] * 2},
    "no signer": {"signed_by": ()},
    "two signers of one system": {"signed_by": FACTS.signed_by[:1] * 2},
    "no salt": {"keys": key(salts=())},
    "a malformed salt": {"keys": key(salts=("AB" * 32,))},
    "a short salt": {"keys": key(salts=("ab" * 7,))},
    "too many salts": {"keys": key(salts=("ab" * 32,) * 65)},
    "a nameless custodian": {"custodian": ""},
    "two spaces in a name": {"custodian": "Anna  Weiß"},
    "another number than the journal's": {"number": 13},
    "a malformed head": {"journal_head": JournalHead(n=14, hash="x")},
    "a label that scripts a terminal": {"medium": MediumIdentity(label="\x1b[2J")},
    "a project that does": {"project": "\x1b"},
    "a date in no zone": {"made_at": datetime(2026, 3, 2)},
    "a date in another zone": {
        "made_at": datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=1)))
    },
    "a serial below zero": {"registry_serial": -1},
}


@pytest.mark.parametrize("case", BAD_FACTS)
def test_facts_that_contradict_themselves_are_refused(case: str) -> None:
    with pytest.raises(FormatError) as error:
        parse_facts(encode_record(facts(**BAD_FACTS[case])))
    assert error.value.code == "CUS-1/facts"


def test_what_has_to_be_there_depends_on_the_keys() -> None:
    both, one = required_names(FACTS), required_names(facts(keys=FACTS.keys[:1]))
    assert both - one == {"gpg-secret.asc", "gpg-public.asc"}
    assert both < ALL_NAMES
    assert {"RESTORE.txt", "journal.jsonl", "registry.json"} < one


# --- revocation certificates --------------------------------------------------------------------

CERTIFICATES: Final = {"compromised.asc": b"one\n", "superseded.asc": b"two\n"}


def test_stock_tar_unpacks_the_revocation_certificates(tmp_path: Path) -> None:
    packed = pack_revocations(CERTIFICATES)
    assert packed == pack_revocations(dict(reversed(CERTIFICATES.items())))
    subprocess.run(["tar", "-xf", "-"], input=packed, cwd=tmp_path, check=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == CERTIFICATES
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {m.mtime for m in archive.getmembers()} == {0}


@pytest.mark.parametrize("names", [(), ("compromised.asc",), (*CERTIFICATES, "other.asc")])
def test_only_both_certificates_are_packed(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        pack_revocations(dict.fromkeys(names, b"x"))


# --- the revocation certificates, unpacked ------------------------------------------------------


def test_both_certificates_come_back_and_nothing_else_does() -> None:
    certificates = {"compromised.asc": b"one\n", "superseded.asc": b"two\n"}
    packed = pack_revocations(certificates)
    assert unpack_revocations(packed) == certificates
    for changed in (b"", packed[:-1], packed[:1024], packed + b"\0", packed[:100] + b"9" * 20):
        with pytest.raises(FormatError):
            unpack_revocations(changed)


def test_an_archive_that_somebody_else_packed_is_refused() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("compromised.asc", "../superseded.asc"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(FormatError):
        unpack_revocations(packed.getvalue())


# --- transcripts and statements -----------------------------------------------------------------

CEREMONIES: Final = {
    "20261125T024653Z-generate-minisign-gpg": {"transcript.json": b"{}", "transcript.txt": b"x\n"},
    "20270302T100000Z-rotate-gpg": {
        "transition-openpgp-974F717AEC205E79.txt.9D77A48587F2D95C.minisig": b"signature\n",
    },
}


def test_ceremonies_come_back_as_they_were_and_stock_tar_unpacks_them(tmp_path: Path) -> None:
    packed = pack_ceremonies(CEREMONIES)
    assert unpack_ceremonies(packed) == CEREMONIES
    subprocess.run(["tar", "-xf", "-"], input=packed, cwd=tmp_path, check=True)
    for ceremony, files in CEREMONIES.items():
        assert {p.name: p.read_bytes() for p in (tmp_path / ceremony).iterdir()} == files


@pytest.mark.parametrize(
    "path", ["a", "a/", "/a", "../a", "a/..", "a/b/c", "a/-b", "a/\x1b", "./a"]
)
def test_no_file_of_an_archive_leaves_its_ceremony(path: str) -> None:
    with pytest.raises(FormatError):
        unpack_ceremonies(pack({path: b"x"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_with_anything_but_files_is_refused(kind: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("ceremony/transcript.json")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(FormatError):
        unpack_ceremonies(packed.getvalue())
