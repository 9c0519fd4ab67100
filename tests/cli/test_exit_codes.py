"""Exit codes, one JSON object, and flags that are never lost (PRODUCT.md, "Command line").

No flag and no saved state stands in for the version that has to be typed (REV-2).
"""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.program import NO_NETWORK, ROOT, WEAK, Program
from tests.workflows.bench import (
    PHRASES,
    RELEASE,
    downloads,
    downloads_copy,
    new_vault,
    rename_release,
)

SIGN = ("release", "sign", RELEASE, "--confirm", RELEASE, "--waive", "POL-7=not yet set up")


@pytest.fixture
def imported(keyed: Program) -> Program:
    keyed("release", "import", downloads())
    return keyed


def test_the_flags_only_session_needs_no_answer(imported: Program, tmp_path: Path) -> None:
    said = imported(*SIGN, passphrases=True, as_json=True)
    assert said.json["exit_code"] == 0
    assert said.json["waived"] == {"POL-7": "not yet set up"}
    assert set(said.json["files"]) >= {"SHA256SUMS", "receipt.txt", f"{RELEASE}.bundle"}
    out = imported("release", "export", RELEASE, tmp_path, as_json=True).json
    assert out["unmounted"] is False


# --- one JSON object in success and in each family of errors ------------------------------


QUERIES = [
    ("check",),
    ("media", "list"),
    ("key", "list"),
    ("release", "list"),
    ("release", "show", RELEASE),
    ("journal", "show"),
    ("journal", "verify"),
]


@pytest.mark.parametrize("command", QUERIES, ids=" ".join)
def test_every_query_is_one_json_object(signed: Program, command: tuple[str, ...]) -> None:
    assert signed(*command, as_json=True).json["exit_code"] == 0


def error_of(program: Program, *arguments: str | Path, code: int) -> dict[str, str]:
    said = program(*arguments, code=code, as_json=True)
    assert said.json["exit_code"] == code
    error = said.json["error"]
    assert isinstance(error, dict)
    assert set(error) == {"code", "summary", "unchanged", "hint"}
    assert all(error.values())
    assert error["code"] in said.stderr  # and for people, on the other stream
    return error


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("release", "sign"),
        ("release", "sign", RELEASE, "--what", "everything"),
        ("--no-such-option\x1b[31m",),
        ("release", "review", "v9.9.9"),
        ("release", "review", "not-a-version"),
        ("release", "export", RELEASE, "/tmp"),
        ("release", "show", RELEASE),
        ("release", "sign", RELEASE, "--waive", "POL-7"),
        ("release", "sign", RELEASE, "--waive", "POL-99=because I say so"),
        ("release", "sign", RELEASE, "--waive", "POL-7=x"),
        ("key", "generate", "--passphrase-fd", "minisign=99999999999999999999"),
        ("key", "generate", "--passphrase-fd", "nobody=3"),
        ("key", "import"),
        ("init", "--profile", "/nonexistent", "--maintainer", "Mia", "--email", "m@x"),
    ],
    ids=" ".join,
)
def test_2_usage(keyed: Program, arguments: tuple[str, ...]) -> None:
    error = error_of(keyed, *arguments, code=2)
    assert all(text.isprintable() for text in error.values())


def test_2_no_vault(tmp_path: Path) -> None:
    error = error_of(Program(tmp_path / "nowhere"), "key", "list", code=2)
    assert "pai-signer init" in error["hint"]


def test_3_refused_by_policy(imported: Program) -> None:
    said = imported(*SIGN[:5], code=3, passphrases=True, as_json=True)
    assert said.json["error"]["code"] == "POL-7/refused"
    assert not (imported.vault / "releases" / RELEASE / "staging").exists()


def test_4_wrong_digest_at_import_and_at_sign(keyed: Program, tmp_path: Path) -> None:
    source = downloads_copy(tmp_path / "stick")
    sums = (source / "SHA256SUMS").read_text()
    (source / "SHA256SUMS").write_text("0" * 64 + sums[64:])
    assert error_of(keyed, "release", "import", source, code=4)["code"] == "IMP-4/mismatch"
    said = keyed(*SIGN, "--waive", "IMP-4=let me", code=4, passphrases=True, as_json=True)
    assert said.json["error"]["code"] == "IMP-4/mismatch"
    review = keyed("release", "review", RELEASE, code=4)
    assert "[FAIL]" in review.stdout
    assert not (keyed.vault / "releases" / RELEASE / "staging").exists()


def test_4_a_file_that_is_not_the_signed_one(folder: Path) -> None:
    (folder / "pai-0.2.0-amd64.iso").write_bytes(b"evil")
    program = Program(Path("/nonexistent"))
    error = error_of(program, "verify", folder, "--keys", folder / "keys", code=4)
    assert "Do not use it" in error["hint"]


def test_4_a_journal_that_was_changed(signed: Program) -> None:
    path = signed.vault / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"POL-7", b"POL-6", 1))
    for command in (("journal", "verify"), ("journal", "show"), ("release", "list")):
        error = error_of(signed, *command, code=4)
        assert error["code"] == "JRN-2/chain"
        assert "line" in error["summary"]


def test_5_a_medium_that_is_not_there(keyed: Program) -> None:
    error_of(keyed, "release", "import", "/nonexistent/stick", code=5)


def test_5_nothing_signed_is_neither_good_nor_wrong(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    program = Program(Path("/nonexistent"))
    error_of(program, "verify", tmp_path / "empty", "--keys", folder / "keys", code=5)


def test_5_a_vault_that_another_process_uses(keyed: Program) -> None:
    holder = subprocess.Popen(
        ["flock", keyed.vault / "vault.lock", "sleep", "60"], start_new_session=True
    )
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if keyed("key", "list", code=None).code == 5:
                break
        error = error_of(keyed, "key", "list", code=5)
        assert error["code"] == "JRN-1/vault-in-use"
    finally:
        holder.kill()
        holder.wait()


def test_6_discarded_by_the_operator(imported: Program) -> None:
    said = imported("release", "sign", RELEASE, script="1\n:d\n", code=6, as_json=True)
    assert said.json["error"]["code"] == "FACE-3/discarded"
    imported("release", "review", RELEASE, code=2)  # what was imported is gone


def test_6_interrupted(keyed: Program, tmp_path: Path) -> None:
    """Ctrl+C while a large file is read: JSON too, and the vault as it was."""
    source = downloads_copy(tmp_path / "stick")
    with (source / "pai-0.2.0-amd64.iso").open("ab") as file:
        file.truncate(20 << 30)  # sparse; read for longer than the test waits
    process = subprocess.Popen(
        [*NO_NETWORK, *WEAK, "--vault", keyed.vault, "--json", "release", "import", source],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Found in" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 6
    assert out.count("\n") == 1
    assert "FACE-3/interrupted" in out
    assert not (keyed.vault / "releases").exists()


# --- POL-4, however it is asked -----------------------------------------------------------------


def test_3_other_content_under_a_signed_version_however_it_is_asked(
    signed: Program, tmp_path: Path
) -> None:
    other = rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")
    staged = signed.vault / "releases" / RELEASE / "staging"
    before = {path.name: path.read_bytes() for path in staged.iterdir()}
    for ask in (
        ("release", "import", other),
        ("release", "import", other, "--version", RELEASE),
        SIGN,
        (*SIGN, "--what", "manifest"),
        (*SIGN, "--what", "tag", "--what", "manifest"),
        (*SIGN, "--waive", "POL-4=it is only a small change"),
        ("release", "review", RELEASE),
    ):
        ended = signed(*ask, code=3, passphrases=ask[1] == "sign")
        assert "POL-4" in ended.stderr
    assert {path.name: path.read_bytes() for path in staged.iterdir()} == before


# --- flags ------------------------------------------------------------------------------


def test_a_flag_of_the_second_run_is_never_lost_to_the_first(
    imported: Program, tmp_path: Path
) -> None:
    """A signing that stopped at its passphrase is begun anew with the other reason."""
    one = (*SIGN[:5], "--waive", "POL-7=the first reason")
    wrong = Program(imported.vault, phrases={**PHRASES, "gpg": b"not it"})
    assert wrong(*one, code=3, passphrases=True, as_json=True).json["error"]["code"] == (
        "KEY-1/wrong-passphrase"
    )
    other = (*SIGN[:5], "--waive", "POL-7=the second reason")
    said = imported(*other, passphrases=True, as_json=True)
    assert said.json["waived"] == {"POL-7": "the second reason"}


def test_without_confirm_nothing_is_signed_whatever_was_saved(imported: Program) -> None:
    wrong = Program(imported.vault, phrases={**PHRASES, "gpg": b"not it"})
    wrong(*SIGN, code=3, passphrases=True)
    unconfirmed = ("release", "sign", RELEASE, "--waive", "POL-7=not yet set up")
    imported(*unconfirmed, code=2, passphrases=True)
    assert not (imported.vault / "releases" / RELEASE / "staging").exists()


def test_an_empty_vault_says_what_is_missing(tmp_path: Path) -> None:
    program = Program(new_vault(tmp_path / "vault"))
    program("release", "import", downloads())
    ended = program(*SIGN, code=3)
    assert "there is no active minisign key" in " ".join(ended.stderr.split())


def test_a_vault_that_others_can_read_is_refused(keyed: Program) -> None:
    keyed.vault.chmod(0o755)
    assert "chmod 700" in error_of(keyed, "key", "list", code=3)["hint"]


def test_the_vault_may_come_from_the_environment(keyed: Program) -> None:
    done = subprocess.run(
        [*WEAK, "key", "list"],
        cwd=ROOT,
        env={"PAI_SIGNER_VAULT": str(keyed.vault), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "minisign" in done.stdout


def test_verify_needs_no_vault_and_no_home(folder: Path) -> None:
    done = subprocess.run(
        [*WEAK, "verify", folder, "--keys", folder / "keys"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "GOOD: PAI v0.2.0" in done.stdout


def test_a_second_import_of_the_same_folder_is_read_again(
    imported: Program, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(downloads(), tmp_path / "stick"))
    imported("release", "import", source)
    rename_release(source, "0.2.0", b"changed")
    said = imported("release", "import", source, as_json=True)
    review = imported("release", "review", RELEASE).stdout
    assert said.json["artifacts"][0]["sha256"][:8] in review
