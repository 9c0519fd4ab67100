"""``backup paper`` as a person types it (CUS-1)."""

from pathlib import Path

from tests.backup_sets import set_files, write_set
from tests.cli.program import Program
from tests.workflows.bench import opened


def test_pages_are_made_from_flags_alone_and_without_a_passphrase(
    keyed: Program, tmp_path: Path
) -> None:
    medium, printer = tmp_path / "medium", tmp_path / "printer"
    printer.mkdir()
    with opened(keyed.vault) as bench:
        write_set(bench, medium, set_files(bench, number=7), 7)
    said = keyed("backup", "paper", medium, printer).stdout
    (pdf,) = printer.rglob("*.pdf")
    assert str(pdf) in "".join(said.split())
    assert "read again before it counted" in said
    data = keyed("backup", "paper", medium, printer, "--set", "000007", as_json=True).json
    assert (data["file"], data["set"]) == (str(pdf), 7)
    ended = keyed("backup", "paper", medium, medium / "pai-backup-000007-a", code=3)
    assert "CUS-1/paper-medium" in ended.stderr
    assert keyed("backup", "paper", printer, medium, code=5).text.count("CUS-1/no-backup")
