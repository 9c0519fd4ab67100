"""``backup paper`` as a person types it (CUS-1)."""

from pathlib import Path

from tests.cli.program import Program
from tests.workflows.backups import with_backups


def test_pages_are_made_from_flags_alone_and_without_a_passphrase(tmp_path: Path) -> None:
    there = with_backups(tmp_path / "drawer")
    program, medium, printer = Program(there / "vault"), there / "anna", tmp_path / "printer"
    printer.mkdir()
    said = program("backup", "paper", medium, printer).stdout
    (pdf,) = printer.rglob("*.pdf")
    number = int(pdf.name.split("-")[2])
    assert str(pdf) in "".join(said.split())
    assert "read again before it counted" in said
    same = program("backup", "paper", medium, printer, "--set", f"{number:06}", as_json=True).json
    assert (same["file"], same["set"]) == (str(pdf), number)
    inside = next(medium.iterdir())
    assert "CUS-1/paper-medium" in program("backup", "paper", medium, inside, code=3).stderr
    assert "CUS-1/no-backup" in program("backup", "paper", printer, medium, code=5).stderr
