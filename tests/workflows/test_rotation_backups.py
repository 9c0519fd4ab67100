"""Once custody exists, a new key is held by its custodians before it is in use (KEY-3, CUS-1)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.domain.backup import parse_facts
from pai_signer.domain.ceremony import parse_transcript
from pai_signer.domain.progress import Progress
from pai_signer.errors import CustodyError, UsageError
from pai_signer.faces.cli.backup_options import backup_answers
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Automatic, Conversation
from pai_signer.workflows.workbench import Workbench
from tests.workflows.backups import Drawer, backed_up, typed
from tests.workflows.bench import PHRASES, ShiftedClock, events, run
from tests.workflows.compromise import HOURS_LATER
from tests.workflows.compromise import answers as compromised
from tests.workflows.rotating import GPG, MINISIGN, NEW_PHRASE, Rotating

#: The custodians' passphrases for the new key.
NEW_ONES: Final = {
    "custodian": b"anna new phrase",
    "custodian-gpg": b"anna new gpg phrase",
    "custodian-2": b"bob new phrase",
    "custodian-2-gpg": b"bob new gpg phrase",
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Drawer]:
    """Anna and Bob each hold a proved backup."""
    with backed_up(tmp_path) as drawer:
        yield drawer


def answers(made: Drawer, system: Rotating, *backups: str, why_not: str | None = None) -> Any:
    phrases = {**PHRASES, "new": NEW_PHRASE, **NEW_ONES}
    return {
        **typed(phrases),
        "confirm": system.confirmation(made.bench),
        **backup_answers(backups, why_not),
    }


def both(made: Drawer) -> tuple[str, str]:
    return f"Anna={made.folder / 'anna'}", f"Bob={made.folder / 'bob'}"


@pytest.mark.parametrize("system", [MINISIGN, GPG], ids=str)
def test_a_new_key_is_backed_up_and_proved_before_it_signs(made: Drawer, system: Rotating) -> None:
    old = system.active(made.bench)
    data = run(made.bench, system.entry, answers(made, system, *both(made))).data
    new = system.active(made.bench)
    assert new != old
    assert [backup["custodian"] for backup in data["backups"]] == ["Anna", "Bob"]
    happened = events(made.bench)
    assert happened.index("key.rotated") > max(
        number for number, event in enumerate(happened) if event == "backup.proved"
    )
    status = made.bench.ledger().custody_of(new, made.bench.profile.custody, made.bench.clock.now())
    assert status.is_enough, status.text
    (copy, *_) = made.copies(made.folder / "anna", data["backups"][0]["set"])
    facts = parse_facts((copy / "backup.json").read_bytes())
    assert [key.id for key in facts.keys] == [new]
    assert old in {key.id for key in facts.signed_by}
    transcript = made.bench.ceremonies.load(data["ceremony"])
    held = [r.text for r in parse_transcript(transcript["transcript.json"]).results]
    assert any(text.startswith("Anna, on ANNA") for text in held)
    assert not any(b"phrase" in entry for entry in transcript.values() if b"anna new" in entry)

    # Each medium now proves both keys in use: the new one from the newer set.
    made.stick("anna")
    name = "custodian" if system is MINISIGN else "custodian-gpg"
    outcome = made.verify("Anna", made.folder / "anna", {name: NEW_ONES[name]})
    assert {key["key"] for key in outcome.data["proved"]} == {
        key.id for key in made.bench.registry().keys if key.can_sign
    }


def test_without_backups_it_needs_a_reason_and_the_old_ones_are_superseded(made: Drawer) -> None:
    before = (made.bench.registry_store.load(), events(made.bench))
    with pytest.raises(UsageError) as error:
        run(made.bench, MINISIGN.entry, answers(made, MINISIGN))
    assert error.value.code == "KEY-3/no-backup"
    assert (made.bench.registry_store.load(), events(made.bench)) == before

    why = "both custodians are travelling"
    data = run(made.bench, MINISIGN.entry, answers(made, MINISIGN, why_not=why)).data
    assert data["backups"] == []
    stored = made.bench.ceremonies.load(data["ceremony"])["transcript.json"]
    noted = [e for e in parse_transcript(stored).exceptions if e.decided == why]
    assert noted
    assert noted[0].happened == "0 of them do"

    # What lies in the drawer is of the old key: its other half is proved all the same.
    with pytest.raises(CustodyError) as stale:
        made.verify("Anna", made.folder / "anna")
    assert stale.value.code == "CUS-2/superseded-key"
    last, proved = made.bench.journal.entries()[-2:]
    assert (last.event, last.facts["outcome"]) == ("backup.failed", "superseded-key")
    assert (proved.event, proved.facts["key"]["algorithm"]) == ("backup.proved", "openpgp")


def test_after_a_compromise_the_other_key_alone_signs_for_the_new_ones_backup(
    tmp_path: Path,
) -> None:
    """The compromised key is not even asked for, and what it signed is worth nothing."""
    with backed_up(tmp_path, ShiftedClock(HOURS_LATER)) as made:
        old = MINISIGN.active(made.bench)
        given = {**compromised(made.bench, old), **answers(made, MINISIGN, *both(made))}
        del given["minisign"]
        data = run(made.bench, MINISIGN.entry, given, reason="compromised").data
        (copy, *_) = made.copies(made.folder / "anna", data["backups"][0]["set"])
        assert not (copy / "MANIFEST.txt.minisig").exists()
        facts = parse_facts((copy / "backup.json").read_bytes())
        assert [key.algorithm.value for key in facts.signed_by] == ["openpgp"]
        # The OpenPGP key is still proved from the older set, which the old key signed too.
        made.stick("anna")
        outcome = made.verify("Anna", made.folder / "anna", {"custodian": NEW_ONES["custodian"]})
        assert outcome.data["outcome"] == "fresh"
        assert len({key["set"] for key in outcome.data["proved"]}) == 2


def test_the_same_medium_or_custodian_twice_is_refused(made: Drawer) -> None:
    anna = made.folder / "anna"
    for second, why in ((f"Bob={anna}", "medium"), (f"anna={made.folder / 'bob'}", "holds")):
        talk = walked(made.bench, answers(made, MINISIGN, f"Anna={anna}", second), "look-2")
        with pytest.raises(CustodyError, match=why):
            talk.answer("", Progress())
        talk.discard()


def walked(bench: Workbench, given: dict[str, Answer], until: str) -> Conversation[Any]:
    """Begin or resume, and take every step before ``until``."""
    talk = catalogue.begin(bench, MINISIGN.entry, {})
    while (step := talk.step) is not None and step.id != until:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        talk.answer(given.get(question.name, default), Progress())
    return talk


@pytest.mark.parametrize("step", ["write-1", "prove-1", "backup-new-key-2"])
def test_a_rotation_that_is_killed_among_its_backups_goes_on(made: Drawer, step: str) -> None:
    """Secrets are asked again; no second key, and no second backup of what was written."""
    given = answers(made, MINISIGN, *both(made))
    walked(made.bench, given, step)
    made.bench.session.wipe()
    again = answers(made, MINISIGN, *both(made))
    data = run(made.bench, MINISIGN.entry, again).data
    assert [backup["custodian"] for backup in data["backups"]] == ["Anna", "Bob"]
    created = [e for e in made.bench.journal.entries() if e.event == "backup.created"]
    of_new = [e for e in created if e.facts["keys"][0]["id"] == data["new"]]
    assert len(of_new) == 2
    assert len(MINISIGN.in_vault(made.bench)) == 2
