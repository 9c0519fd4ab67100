"""A backup restores with stock tools only: the card's own commands, typed as they stand (CUS-1).

Nothing of the program takes part but the card, the manifest and the archive of revocation
certificates: keys are made, used and judged by stock minisign, gpg, gpgv and openssl. The
only stand-in is for a person at gpg's passphrase prompt.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from pai_signer.domain.backup import BackupFacts, pack_revocations, render_manifest
from pai_signer.domain.custody import BackupKey, MediumIdentity
from pai_signer.domain.minisig import parse_public_key_file
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.restore_card import render_restore_card
from tests.cli.on_terminal import on_terminal

MINISIGN_PHRASE: Final = b"cabin orbit velvet \\ 'quote' $HOME"
GPG_PHRASE: Final = b"lantern copper meadow"
USER_ID: Final = "Test Release Key <release@test.invalid>"
SUMS: Final = f"{'ab' * 32}  pai-1.2.3-amd64.iso\n".encode()


@dataclass(frozen=True)
class Backup:
    """One copy of a set as it lies on a medium, and a gpg whose prompts are answered."""

    folder: Path
    tools: Path
    fingerprint: str
    minisign_line: str
    card: str


def stock(*command: str | Path, home: Path | None = None, stdin: bytes = b"") -> bytes:
    environment = {**os.environ, **({"GNUPGHOME": str(home)} if home else {})}
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def gpg(home: Path, *arguments: str | Path, stdin: bytes = b"") -> bytes:
    phrase = home / "phrase"
    loopback = ("--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase-file", phrase)
    return stock("gpg", *loopback, *arguments, home=home, stdin=stdin)


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backup]:
    """Made by stock tools at full strength, once."""
    root = tmp_path_factory.mktemp("by-hand")
    folder, home, tools = root / "pai-backup-000014-a", root / "g", root / "tools"
    folder.mkdir()
    home.mkdir(mode=0o700)
    tools.mkdir()
    (home / "phrase").write_bytes(GPG_PHRASE)
    shim = tools / "gpg"
    real = shutil.which("gpg")
    shim.write_text(
        f'#!/bin/sh\nexec {real} --pinentry-mode loopback --passphrase-file {home}/phrase "$@"\n'
    )
    shim.chmod(0o755)
    try:
        yield _made(folder, home, tools)
    finally:
        subprocess.run(
            ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(home)}, check=False
        )


def _made(folder: Path, home: Path, tools: Path) -> Backup:
    # Without a passphrase at first, which saves one gigabyte of hashing.
    public, secret, plain = folder / "minisign.pub", folder / "minisign.key", home / "plain.key"
    stock("minisign", "-G", "-W", "-p", public, "-s", plain)
    shutil.copy(plain, secret)
    typed_twice = MINISIGN_PHRASE + b"\n" + MINISIGN_PHRASE + b"\n"
    stock("minisign", "-C", "-s", secret, stdin=typed_twice)
    gpg(home, "--quick-gen-key", USER_ID, "ed25519", "cert", "1y")
    listing = gpg(home, "--with-colons", "--list-secret-keys").decode()
    fingerprint = re.findall(r"^fpr:+([0-9A-F]{40}):", listing, re.MULTILINE)[0]
    gpg(home, "--quick-add-key", fingerprint, "ed25519", "sign", "1y")
    secret_key = gpg(home, "--armor", "--export-secret-keys", fingerprint)
    (folder / "gpg-secret.asc").write_bytes(secret_key)
    (folder / "gpg-public.asc").write_bytes(gpg(home, "--armor", "--export", fingerprint))
    birth = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_bytes()
    certificate = birth[birth.index(b":-----BEGIN") + 1 :]
    packed = pack_revocations({"compromised.asc": certificate, "superseded.asc": certificate})
    strong = ("--cipher-algo", "AES256", "--s2k-digest-algo", "SHA512", "--s2k-count", "65011712")
    (folder / "revocations.gpg").write_bytes(gpg(home, "--symmetric", *strong, stdin=packed))
    (folder / "journal.jsonl").write_bytes(b"")
    (folder / "registry.json").write_bytes(b"{}\n")

    line = parse_public_key_file(public.read_bytes())
    facts = BackupFacts(
        project="PAI",
        rehearsal=False,
        custodian="Anna",
        number=14,
        made_at=datetime.now(UTC).replace(microsecond=0),
        medium=MediumIdentity(uuid="1A2B-3C4D"),
        keys=(
            BackupKey(algorithm=Algorithm.MINISIGN, id=line.shown_id, salts=("ab" * 32,)),
            BackupKey(algorithm=Algorithm.OPENPGP, id=fingerprint, salts=("cd" * 8,)),
        ),
        registry_serial=2,
        journal_head=JournalHead(n=14, hash="0" * 64),
    )
    keys = tuple(
        RegisteredKey(
            algorithm=key.algorithm,
            id=key.id,
            public_key=line.line if key.algorithm is Algorithm.MINISIGN else "",
            state=KeyState.ACTIVE,
            created_at=facts.made_at,
            user_id=USER_ID,
        )
        for key in facts.keys
    )
    card = render_restore_card(facts, keys, signed_by=keys, revocations=True, ask=["Bob"])
    (folder / "backup.json").write_bytes(encode_record(facts))
    (folder / "RESTORE.txt").write_text(card)
    manifest = folder / "MANIFEST.txt"
    manifest.write_bytes(
        render_manifest("PAI", False, {p.name: p.read_bytes() for p in folder.iterdir()})
    )
    stock("minisign", "-S", "-s", plain, "-m", manifest)
    gpg(home, "--armor", "--detach-sign", manifest)
    return Backup(folder, tools, fingerprint, line.line, card)


def sections(card: str) -> dict[str, str]:
    """The commands of each numbered section, as a person would type them."""
    parts = re.split(r"^(\d\. .*)$", card, flags=re.MULTILINE)
    return {
        title: "".join(f"{line[4:]}\n" for line in text.splitlines() if line.startswith("    "))
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@pytest.fixture
def copy(backup: Backup, tmp_path: Path) -> Iterator[Path]:
    """A copy of the folder, for a test to change; nothing stays in memory afterwards."""
    before = set(Path("/dev/shm").glob("restore.*"))
    yield Path(shutil.copytree(backup.folder, tmp_path / backup.folder.name))
    left = set(Path("/dev/shm").glob("restore.*")) - before
    for folder in left:
        shutil.rmtree(folder)


def typed(backup: Backup, copy: Path, script: str) -> tuple[list[str], dict[str, str]]:
    """A shell on a terminal that runs ``script``; it stops at the first command that fails."""
    path = f"{backup.tools}:{os.environ['PATH']}"
    return ["sh", "-e", "-c", script], {"PATH": path, "TERM": "vt100", "OUT": str(copy.parent)}


def test_the_cards_commands_restore_sign_and_verify(
    backup: Backup, copy: Path, tmp_path: Path
) -> None:
    (copy / "SHA256SUMS").write_bytes(SUMS)
    script = ""
    for title, commands in sections(backup.card).items():
        assert commands, title
        if "AFTERWARDS" in title:
            script += 'cp SHA256SUMS.asc compromised.asc superseded.asc "$OUT"\n'
        script += f"echo 'SECTION {title[0]}'\n{commands}"
        if "WITH MINISIGN" in title or "WITHOUT MINISIGN" in title:
            script += f'cp SHA256SUMS.minisig "$OUT/{title[0]}.minisig"\n'
    script += "echo ALL IS DONE\n"
    command, environment = typed(backup, copy, script)
    with on_terminal(command, copy, environment) as person:
        person.expect("SECTION 3")
        person.passphrase("Password: ", MINISIGN_PHRASE)
        person.expect("SECTION 4")
        person.passphrase("Passphrase of minisign.key: ", MINISIGN_PHRASE)
        person.expect("RIGHT")
        person.expect("ALL IS DONE")
        assert person.end() == 0
    said = person.seen
    assert "FAILED" not in said
    assert said.count("Good signature from") == 2
    assert said.count("Signature and comment signature verified") == 2
    assert said.count("revocation reason 0x00") == 2

    sums = tmp_path / "SHA256SUMS"
    sums.write_bytes(SUMS)
    for number in ("3", "6"):
        signature = tmp_path / f"{number}.minisig"
        stock("minisign", "-V", "-P", backup.minisign_line, "-m", sums, "-x", signature)
    assert (tmp_path / "3.minisig").read_bytes() != (tmp_path / "6.minisig").read_bytes()
    keyring = tmp_path / "keyring.gpg"
    stock("gpg", "--dearmor", "-o", keyring, backup.folder / "gpg-public.asc")
    stock("gpgv", "--keyring", keyring, tmp_path / "SHA256SUMS.asc", sums)
    for name in ("compromised.asc", "superseded.asc"):
        assert b"BEGIN PGP PUBLIC KEY BLOCK" in (tmp_path / name).read_bytes()


def test_without_minisign_a_wrong_passphrase_is_told_before_anything_is_signed(
    backup: Backup, copy: Path
) -> None:
    (copy / "SHA256SUMS").write_bytes(SUMS)
    (commands,) = [c for title, c in sections(backup.card).items() if "WITHOUT MINISIGN" in title]
    upto = commands[: commands.index("(printf '\\060")]
    command, environment = typed(backup, copy, f"{upto}echo ENDED\n")
    with on_terminal(command, copy, environment) as person:
        person.passphrase("Passphrase of minisign.key: ", MINISIGN_PHRASE + b"x")
        said = person.expect("ENDED")
    assert "WRONG passphrase or file" in said
    assert "RIGHT" not in said


@pytest.mark.parametrize("name", ["minisign.key", "gpg-secret.asc", "RESTORE.txt"])
def test_a_changed_byte_stops_the_card_at_its_first_check(
    name: str, backup: Backup, copy: Path
) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    first_two = "".join(list(sections(backup.card).values())[:2])
    command, environment = typed(backup, copy, first_two)
    with on_terminal(command, copy, environment) as person:
        assert person.end() != 0
    assert re.search(rf"{re.escape(name)}: FAILED", person.seen)
    assert "Good signature" not in person.seen
