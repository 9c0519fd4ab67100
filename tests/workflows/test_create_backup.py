"""A backup is written whole, restores, and is proved at once (CUS-1, CUS-2)."""

from pathlib import Path
from typing import Final

from pai_signer.domain.backup import parse_facts
from pai_signer.domain.custody import MediumIdentity
from tests.workflows.backups import drawer
from tests.workflows.bench import events

FILES: Final = {
    *("RESTORE.txt", "MANIFEST.txt", "MANIFEST.txt.minisig", "MANIFEST.txt.asc", "backup.json"),
    *("minisign.key", "minisign.pub", "gpg-secret.asc", "gpg-public.asc", "revocations.gpg"),
    *("registry.json", "registry.json.minisig", "registry.json.asc", "journal.jsonl"),
}


def test_three_identical_folders_are_written_and_proved(tmp_path: Path) -> None:
    with drawer(tmp_path) as made:
        stick = made.stick("anna")
        data = made.create("Anna", stick)
        copies = made.copies(stick, data["set"])
        contents = [{p.name: p.read_bytes() for p in copy.iterdir()} for copy in copies]
        assert contents[0] == contents[1] == contents[2]
        assert set(contents[0]) == FILES
        facts = parse_facts(contents[0]["backup.json"])
        assert facts.custodian == "Anna"
        assert facts.medium == MediumIdentity(uuid="UUID-anna", serial="SERIAL-anna", label="ANNA")
        entry = made.bench.journal.entries()[facts.number - 1]
        assert (entry.event, entry.hash) == ("backup.begun", facts.journal_head.hash)
        assert events(made.bench)[facts.number - 1 :] == [
            *("backup.begun", "backup.created", "backup.proved", "backup.proved"),
        ]
        assert {key["algorithm"] for key in data["proved"]} == {"minisign", "openpgp"}
        assert data["does_not_prove"]
        assert data["unmounted"] is True
        assert made.media.calls[-1] == "unmount anna"
        for row in made.bench.ledger().rows:
            assert row.why_not(made.bench.profile.custody, made.bench.clock.now()) == ""
