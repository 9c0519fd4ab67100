"""``key generate`` from flags: in company, its script, and what is carried out (KEY-1)."""

from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.workflows.bench import PHRASES, new_vault


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(new_vault(tmp_path / "vault"), phrases=PHRASES)


def test_the_script_is_printed_and_nothing_is_begun(program: Program) -> None:
    text = program("key", "generate", "--script").stdout
    assert "CEREMONY SCRIPT: PAI, Generate keys" in text
    assert "STATEMENT OF THE WITNESS" in text
    taken = program("key", "import", "--gpg", "x", "--script").stdout
    assert "Import an OpenPGP key" in taken
    assert not (program.vault / "unfinished").exists()
    assert not (program.vault / "ceremonies").exists()


def test_flags_alone_hold_it_in_company_and_everything_is_carried_out(
    program: Program, tmp_path: Path
) -> None:
    people = ("--second", "Ben", "--witness", "Wim", "--verdict", "accept")
    made = program("key", "generate", *people, passphrases=True, as_json=True).json
    assert [key["algorithm"] for key in made["keys"]] == ["minisign", "openpgp"]
    for name in ("apart", "stick"):
        (tmp_path / name).mkdir()
    apart = program("key", "revocations", tmp_path / "apart", as_json=True).json
    (folder,) = map(Path, apart["folders"])
    assert (folder / "README.txt").read_text().startswith("PAI: REVOCATION CERTIFICATES")
    (listed,) = program("ceremony", "list", as_json=True).json["ceremonies"]
    assert (listed["ceremony"], listed["witness"]) == (made["ceremony"], "accepts")
    assert "Wim ACCEPTS" in program("ceremony", "show", made["ceremony"]).stdout
    out = program("ceremony", "export", tmp_path / "stick", as_json=True).json
    transcript = (Path(out["folder"]) / made["ceremony"] / "transcript.txt").read_text()
    assert made["keys"][0]["id"] in transcript
    for phrase in PHRASES.values():
        assert phrase.decode() not in transcript


def test_a_comparison_that_differs_is_a_failed_verification(program: Program) -> None:
    wrong = ("--compare-minisign", "00" * 32)
    ended = program("key", "generate", *wrong, passphrases=True, as_json=True, code=4)
    assert ended.json["error"]["code"] == "REV-1/compared"
    assert program("key", "list", as_json=True).json["keys"] == []


def test_a_transcript_that_was_changed_is_a_failed_verification(program: Program) -> None:
    program("key", "generate", "--only", "minisign", passphrases=True)
    (text,) = program.vault.glob("ceremonies/*/transcript.txt")
    text.write_text(text.read_text().replace("Mia", "Pia"))
    assert "[FAIL]" in program("ceremony", "list", code=4).stdout
    program("ceremony", "show", text.parent.name, code=4)
    program("ceremony", "show", "no-such-ceremony", code=2)
