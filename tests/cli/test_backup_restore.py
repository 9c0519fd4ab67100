"""``backup restore`` from flags alone: a new vault takes over what a medium holds (CUS-4)."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pai_signer.domain.ceremony import digest_groups
from pai_signer.domain.receipt import head_words
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_REFUSED, EXIT_USAGE, EXIT_WRONG
from tests.cli.program import Program
from tests.workflows.backups import ANNA, typed
from tests.workflows.bench import PHRASES, keyed_vault, new_vault, opened, run


def test_a_workstation_comes_back_from_its_medium(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "lost")) as bench:
        (tmp_path / "stick").mkdir()
        given = typed({**PHRASES, **ANNA})
        made = run(
            bench, "backup.create", given, custodian="Anna", directory=str(tmp_path / "stick")
        )
        head = bench.journal.entries()[made.data["set"] - 1]
        minisign, openpgp = bench.registry().keys
    program = Program(new_vault(tmp_path / "new"), phrases=ANNA)
    restore = ("backup", "restore", str(tmp_path / "stick"))
    groups = " ".join(digest_groups(openpgp.id))
    paper = ("--fingerprint", groups, "--minisign-key", minisign.public_key)
    noted = ("--head", f"{head.n} {head_words(head.hash)}")
    # Without the paper card nothing is opened; with a wrong one neither.
    assert "paper card" in program(*restore, passphrases=True, code=EXIT_USAGE).text
    wrong = ("--fingerprint", "ab" * 20, "--minisign-key", minisign.public_key)
    program(*restore, *wrong, passphrases=True, code=EXIT_WRONG)
    assert program("key", "list", as_json=True).json["keys"] == []

    ended = program(*restore, *paper, *noted, passphrases=True, as_json=True).json
    assert ended["keys"] == [minisign.id, openpgp.id]
    assert (ended["journal_entries"], ended["missing_entries"]) == (head.n, 0)
    keys = program("key", "list", as_json=True).json["keys"]
    assert [key["id"] for key in keys] == [minisign.id, openpgp.id]
    assert "custody.restored" in program("journal", "show").text
    program("journal", "verify")
    # The same command once more compares, and restores over nothing.
    again = program(*restore, code=EXIT_REFUSED)
    assert "CUS-4/not-new" in again.text
    # The custodian's passphrases are the vault's now.
    later = good_expiry_day((datetime.now(UTC) + timedelta(days=600)).date(), AvoidedDays())
    opening = {"minisign": ANNA["custodian"], "gpg": ANNA["custodian-gpg"]}
    own = dataclasses.replace(program, phrases=opening)
    own("key", "extend", "--until", later.isoformat(), passphrases=True)
