"""``backup`` as people run it: options, exit codes, prompts and JSON (CUS-1 to CUS-3)."""

import shutil
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.workflows.backups import ANNA, BOB, PEOPLE, with_backups
from tests.workflows.bench import PHRASES


@pytest.fixture
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vault, and the media of Anna and Bob in the folder ``sticks``."""
    folder = with_backups(tmp_path / "drawer")
    sticks = folder / "sticks"
    sticks.mkdir()
    for name in PEOPLE:
        shutil.move(folder / name.casefold(), sticks)
    (sticks / "new").mkdir()
    monkeypatch.setenv("PAI_TEST_STICKS", str(sticks))
    return folder


def program(drawer: Path, phrases: dict[str, bytes]) -> Program:
    return Program(drawer / "vault", phrases=phrases)


def test_a_backup_is_verified_created_and_listed(drawer: Path) -> None:
    anna = program(drawer, dict(ANNA))
    stick = drawer / "sticks" / "anna"
    data = anna("backup", "verify", stick, "--custodian", "anna", passphrases=True, as_json=True)
    assert data.json["outcome"] == "fresh"
    assert len(data.json["proved"]) == 2
    assert data.json["does_not_prove"]
    shown = anna("backup", "verify", stick, "--custodian", "Anna", passphrases=True).stdout
    assert "NOT proved" in shown
    assert "signed a new challenge" in shown

    new = drawer / "sticks" / "new"
    making = program(drawer, {**PHRASES, **{k: v + b" again" for k, v in BOB.items()}})
    created = making("backup", "create", new, "--custodian", "Bob", passphrases=True, as_json=True)
    assert created.json["medium"]["uuid"] == "UUID-new"
    assert len(list(new.iterdir())) == 3
    status = making("backup", "status", as_json=True).json
    assert {(r["custodian"], r["medium"]["uuid"]) for r in status["backups"]} == {
        ("Anna", "UUID-anna"),
        ("Bob", "UUID-bob"),
        ("Bob", "UUID-new"),
    }
    assert "Bob" in making("backup", "status").stdout


def test_the_exit_code_and_the_code_say_which_outcome_it_is(drawer: Path) -> None:
    stick = drawer / "sticks" / "anna"
    verify = ("backup", "verify", stick, "--custodian")

    def ended(code: int, custodian: str, phrases: dict[str, bytes]) -> str:
        run = program(drawer, phrases)
        done = run(*verify, custodian, passphrases=True, as_json=True, code=code)
        assert done.json["exit_code"] == code
        return str(done.json["error"]["code"])

    wrong = {**ANNA, "custodian": b"something else"}
    assert ended(3, "Anna", wrong) == "KEY-1/wrong-passphrase"
    assert ended(3, "Bob", dict(BOB)) == "CUS-2/other-custodian"
    (copy, *_) = sorted(stick.iterdir())
    (copy / "minisign.key").write_bytes(b"gone")
    assert ended(4, "Anna", dict(ANNA)) == "CUS-2/damaged"
    repaired = program(drawer, dict(ANNA))(
        *verify, "Anna", "--repair", passphrases=True, as_json=True
    )
    assert repaired.json["repaired"] is True
    for folder in list(stick.iterdir()):
        shutil.rmtree(folder)
    assert ended(5, "Anna", dict(ANNA)) == "CUS-2/empty"


def test_by_numbered_prompts_a_custodian_and_a_medium_are_picked(drawer: Path) -> None:
    """On a serial line: the names and the media that are known, by their numbers."""
    bob = program(drawer, dict(BOB))
    lines = ("2", "2", "", "")
    ended = bob("backup", "verify", script="\n".join(lines) + "\n", passphrases=True)
    assert "1. Anna" in ended.stdout
    assert "3. somebody else" in ended.stdout
    assert "serial SERIAL-bob" in ended.stdout
    assert "signed a new challenge" in ended.stdout


def test_a_passphrase_that_opens_something_else_is_refused(drawer: Path) -> None:
    same = program(drawer, {**PHRASES, "custodian": PHRASES["gpg"], "custodian-gpg": b"other"})
    new = drawer / "sticks" / "new"
    ended = same("backup", "create", new, "--custodian", "Cem", passphrases=True, code=3)
    assert "CUS-1/same-passphrase" in ended.text
    assert list(new.iterdir()) == []


def test_the_new_key_of_a_rotation_goes_to_both_custodians(drawer: Path) -> None:
    phrases = {
        **PHRASES,
        "new": b"weak new phrase",
        "custodian": b"anna new phrase",
        "custodian-2": b"bob new phrase",
    }
    rotating = program(drawer, phrases)
    keys = rotating("key", "list", as_json=True).json["keys"]
    (old,) = (key["id"] for key in keys if key["algorithm"] == "minisign")
    command = ("key", "rotate", "minisign", "--despite", "a test machine", "--confirm", old)
    refused = rotating(*command, passphrases=True, code=2)
    assert "KEY-3/no-backup" in refused.text
    backups = [f"{name}={drawer / 'sticks' / name.casefold()}" for name in PEOPLE]
    both = [part for backup in backups for part in ("--backup", backup)]
    data = rotating(*command, *both, passphrases=True, as_json=True).json
    assert [backup["custodian"] for backup in data["backups"]] == ["Anna", "Bob"]
    status = rotating("backup", "status", as_json=True).json
    assert [key["enough"] for key in status["keys"]] == [True, True]
    assert {key["id"] for key in status["keys"]} >= {data["new"]}
