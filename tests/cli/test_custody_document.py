"""Every command of ``docs/custody.md`` is run, in its order, on one vault and two media."""

import dataclasses
from pathlib import Path

import pytest

from pai_signer.domain.custody import Outcome
from pai_signer.errors import EXIT_DONE
from tests.cli.documents import documented, placed
from tests.cli.program import ROOT, Program
from tests.workflows.backups import PEOPLE
from tests.workflows.bench import keyed_vault

DOCUMENT = ROOT / "pai_signer" / "docs" / "custody.md"
NEW = {"new": b"weak new phrase", "custodian": b"anna newer", "custodian-2": b"bob newer"}


LOST = {
    "medium": ("--happened", "lost", "--others", "no"),
    "passphrase": ("--happened", "forgotten"),
    "maintainer": ("--happened", "returned"),
}
SECOND = {
    "custodian-2": PEOPLE["Bob"]["custodian"],
    "custodian-2-gpg": PEOPLE["Bob"]["custodian-gpg"],
}


def key_of(program: Program, algorithm: str) -> dict[str, str]:
    keys = program("key", "list", as_json=True).json["keys"]
    found = next(key for key in keys if key["algorithm"] == algorithm and key["state"] == "active")
    return dict(program("key", "show", found["id"], as_json=True).json)


def from_paper(program: Program) -> tuple[str, ...]:
    """What stands on everybody's card."""
    openpgp, minisign = key_of(program, "openpgp"), key_of(program, "minisign")
    return ("--fingerprint", openpgp["id"], "--minisign-key", minisign["public_key"])


def test_every_command_of_the_document_does_what_it_says(
    keyed: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks = tmp_path / "sticks"
    for name in ("anna", "bob", "carl", "new", "stick"):
        (sticks / name).mkdir(parents=True)
    monkeypatch.setenv("PAI_TEST_STICKS", str(sticks))
    elsewhere = dataclasses.replace(keyed, vault=keyed_vault(tmp_path / "elsewhere"))
    new = dataclasses.replace(keyed, vault=tmp_path / "new-vault")
    places = {"/media/": f"{sticks}/", **{f"{n}=/media/": f"{n}={sticks}/" for n in PEOPLE}}
    played = documented(DOCUMENT)
    assert ["backup", "status"] in played
    for arguments in played:
        given = [placed(argument, places) for argument in arguments]
        program, phrases = keyed, dict(keyed.phrases)
        takes = arguments[1] not in ("status", "accept", "lost") and arguments[0] != "init"
        if "--custodian" in arguments:
            name = arguments[arguments.index("--custodian") + 1]
            phrases |= PEOPLE.get(name, {"custodian": b"carl's", "custodian-gpg": b"carl's gpg"})
        elif arguments[:2] == ["key", "rotate"]:
            phrases |= NEW
            old = key_of(keyed, arguments[2])["id"]
            given += ["--confirm", old, "--despite", "a test machine"]
        elif "--script" in arguments:
            takes = False
        elif arguments[:2] == ["backup", "session"]:
            phrases |= {**PEOPLE["Anna"], **SECOND}
            given += ["--first-maintainer", "Anna", "--second", "Bob", *from_paper(keyed)]
            given += ["--despite", "a test machine"]
        elif arguments[:2] == ["backup", "accept"]:
            program = elsewhere
        elif arguments[:2] == ["backup", "lost"]:
            given += [*LOST[arguments[2]], "--why", "it happened in a test"]
        elif arguments[0] == "init":
            program = new
        elif arguments[:2] == ["backup", "restore"]:
            program, phrases = new, dict(PEOPLE["Anna"])
            given += from_paper(keyed)
        program = dataclasses.replace(program, phrases=phrases)
        assert program(*given, passphrases=takes).code == EXIT_DONE
        if arguments[:2] == ["key", "rotate"]:
            keyed = dataclasses.replace(keyed, phrases={**keyed.phrases, "minisign": NEW["new"]})
    status = keyed("backup", "status", as_json=True).json
    assert [key["enough"] for key in status["keys"]] == [True, True]
    assert [key["id"] for key in new("key", "list", as_json=True).json["keys"]] == [
        key["id"] for key in elsewhere("key", "list", as_json=True).json["keys"]
    ]
    accepted = elsewhere("backup", "status", as_json=True).json
    assert [key["enough"] for key in accepted["keys"]] == [True, True]


def test_the_document_names_every_outcome() -> None:
    rows = {line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if "|" in line}
    assert {outcome.value for outcome in Outcome} <= rows
