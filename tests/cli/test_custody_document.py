"""Every command of ``docs/custody.md`` is run, in its order, on one vault and two media."""

import dataclasses
from pathlib import Path

import pytest

from pai_signer.domain.custody import Outcome
from pai_signer.errors import EXIT_DONE
from tests.cli.documents import documented, placed
from tests.cli.program import ROOT, Program
from tests.workflows.backups import PEOPLE

DOCUMENT = ROOT / "pai_signer" / "docs" / "custody.md"
NEW = {"new": b"weak new phrase", "custodian": b"anna newer", "custodian-2": b"bob newer"}


def test_every_command_of_the_document_does_what_it_says(
    keyed: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sticks = tmp_path / "sticks"
    for name in PEOPLE:
        (sticks / name.casefold()).mkdir(parents=True)
    monkeypatch.setenv("PAI_TEST_STICKS", str(sticks))
    places = {"/media/": f"{sticks}/", **{f"{n}=/media/": f"{n}={sticks}/" for n in PEOPLE}}
    played = documented(DOCUMENT)
    assert ["backup", "status"] in played
    for arguments in played:
        given = [placed(argument, places) for argument in arguments]
        phrases = dict(keyed.phrases)
        if "--custodian" in arguments:
            phrases |= PEOPLE[arguments[arguments.index("--custodian") + 1]]
        elif arguments[:2] == ["key", "rotate"]:
            phrases |= NEW
            keys = keyed("key", "list", as_json=True).json["keys"]
            old = next(key["id"] for key in keys if key["algorithm"] == arguments[2])
            given += ["--confirm", old, "--despite", "a test machine"]
        takes = arguments[1] != "status"
        program = dataclasses.replace(keyed, phrases=phrases)
        assert program(*given, passphrases=takes).code == EXIT_DONE
    status = keyed("backup", "status", as_json=True).json
    assert [key["enough"] for key in status["keys"]] == [True, True]


def test_the_document_names_every_outcome() -> None:
    rows = {line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if "|" in line}
    assert {outcome.value for outcome in Outcome} <= rows
