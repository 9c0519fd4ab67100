"""A workstation is restored from a backup medium alone, into a new vault (CUS-4)."""

import functools
import importlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import pytest

from pai_signer.domain.ceremony import digest_groups
from pai_signer.domain.custody import RestoredFacts
from pai_signer.domain.journal import JournalEntry, encode_entry, next_entry, parse_journal
from pai_signer.domain.policy import CheckResult, Result
from pai_signer.domain.receipt import head_words
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import (
    DigestMismatch,
    JournalTampered,
    MediumError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
    UsageError,
)
from pai_signer.faces.cli.backup_options import backup_answers
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Outcome
from pai_signer.workflows.overview import home_page
from pai_signer.workflows.release.evaluate import evaluate
from pai_signer.workflows.script import play
from pai_signer.workflows.workbench import Workbench
from tests.keys import weak_passphrase
from tests.workflows.backups import PEOPLE, backed_up, typed
from tests.workflows.bench import (
    PHRASES,
    Silent,
    downloads_copy,
    events,
    keyed_vault,
    new_vault,
    opened,
    rename_release,
    run,
    secrets,
    signed_vault,
    stored,
)
from tests.workflows.rotating import MINISIGN as ROTATED
from tests.workflows.rotating import NEW_PHRASE

ANNA: Final = "Anna"
BOB: Final = "Bob"
MINISIGN, OPENPGP = (PEOPLE[ANNA][name] for name in ("custodian", "custodian-gpg"))


def make_set(bench: Workbench, medium: Path, custodian: str) -> None:
    """A backup as ``backup create`` makes and proves it."""
    medium.mkdir()
    given = typed({**PHRASES, **PEOPLE[custodian]})
    run(bench, "backup.create", given, custodian=custodian, directory=str(medium))


@functools.cache
def prepared() -> Path:
    """``vault`` with one release signed; ``anna`` holds a set, and ``bob`` a later one."""
    root = stored("restoring")
    root.mkdir()
    with opened(signed_vault(root / "vault")) as bench:
        make_set(bench, root / "anna", ANNA)
        run(bench, "key.publish", directory=str(_folder(root / "public")))
        make_set(bench, root / "bob", BOB)
    return root


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Copies of the two media, to be changed."""
    for name in ("anna", "bob"):
        shutil.copytree(prepared() / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Workbench]:
    """The workstation that is gone, as it was in the end."""
    with opened(Path(shutil.copytree(prepared() / "vault", tmp_path / "lost"))) as bench:
        yield bench


def from_paper(bench: Workbench) -> dict[str, Answer]:
    """What stands on the card of every custodian of the vault ``bench``."""
    minisign, openpgp = (bench.registry().signing_key(algorithm) for algorithm in Algorithm)
    assert minisign is not None
    assert openpgp is not None
    return {"minisign-key": minisign.public_key, "fingerprint": " ".join(digest_groups(openpgp.id))}


def answers(lost: Workbench, custodian: str = ANNA, **others: Answer) -> dict[str, Answer]:
    return {**from_paper(lost), **typed(PEOPLE[custodian]), **others}


def strangers_vault(to: Path) -> Path:
    """A vault with keys of its own, made once."""
    kept = stored("strangers")
    if not kept.exists():
        with opened(new_vault(kept)) as bench:
            run(bench, "key.generate", secrets())
    return Path(shutil.copytree(kept, to))


def restore(bench: Workbench, medium: Path, given: dict[str, Answer]) -> Outcome:
    return run(bench, "backup.restore", given, directory=str(medium))


def is_as_new(bench: Workbench) -> bool:
    return (
        events(bench) == ["vault.created"]
        and not bench.registry_store.load()
        and not bench.minisign.stray(())
        and not bench.openpgp.stray(())
        and not bench.revocations.names()
        and not bench.ceremonies.names()
    )


def number_of(medium: Path) -> int:
    """The set on a medium, which is the entry that its journal ends with."""
    return int(next(medium.iterdir()).name.split("-")[2])


def head_of(bench: Workbench, n: int) -> str:
    return f"{n} {head_words(bench.journal.entries()[n - 1].hash)}"


def pol_3(bench: Workbench, tmp_path: Path) -> CheckResult:
    """What POL-3 says of v0.3.0."""
    folder = rename_release(downloads_copy(tmp_path / "next"), "0.3.0", b"next")
    run(bench, "release.import", directory=str(folder), version="v0.3.0")
    candidate = bench.candidate("v0.3.0")
    results = evaluate(bench, candidate, visit="manifest", clock_confirmed=True, waivers={})
    return next(result for result in results if result.id == "POL-3")


# --- what is restored ---------------------------------------------------------------------------


def test_keys_registry_journal_and_revocations_come_back(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    born = empty.journal.entries()[0]
    known = lost.journal.entries()
    head = head_of(lost, number_of(media / "anna"))
    outcome = restore(empty, media / "anna", answers(lost, head=head))
    assert outcome.data["missing_entries"] == 0
    entries = empty.journal.entries()
    assert entries[:-1] == known[: len(entries) - 1]
    # The journal ends where the set that it lies in was begun: that set is no remnant.
    assert entries[-2].event == "backup.begun"
    assert empty.ledger().cut_short == ()
    facts = msgspec.convert(entries[-1].facts, RestoredFacts)
    assert (facts.custodian, facts.born_as, facts.journal_n) == (ANNA, born.hash, len(entries) - 1)
    assert facts.compared_with == head
    assert empty.registry_store.load() == lost.registry_store.load()
    assert empty.history().find("v0.2.0") == lost.history().find("v0.2.0")
    fingerprint = str(facts.keys[1].id)
    assert empty.revocations.load(fingerprint) == lost.revocations.load(fingerprint)
    # The custodian's passphrases open the vault's keys now, and the old ones do not.
    phrase, gpg_phrase = weak_passphrase(MINISIGN), weak_passphrase(OPENPGP)
    line = empty.registry().find(facts.keys[0].id).public_key
    empty.minisign.unlock(line, phrase).wipe()
    empty.openpgp.prove(fingerprint, gpg_phrase)
    with pytest.raises(PolicyRefused):
        empty.minisign.unlock(line, weak_passphrase(b"weak minisign phrase"))
    assert pol_3(empty, tmp_path).result is Result.PASSED
    run(empty, "key.publish", directory=str(_folder(tmp_path / "public")))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_restored_workstation_publishes_the_statements_of_the_lost_one(
    empty: Workbench, tmp_path: Path
) -> None:
    with opened(keyed_vault(tmp_path / "rotated")) as bench:
        ROTATED.rotate(bench)
        given = typed({**PHRASES, "minisign": NEW_PHRASE, **PEOPLE[ANNA]})
        (tmp_path / "stick").mkdir()
        run(bench, "backup.create", given, custodian=ANNA, directory=str(tmp_path / "stick"))
        run(bench, "key.publish", directory=str(_folder(tmp_path / "before")))
        restore(empty, tmp_path / "stick", answers(bench))
        held = {name: bench.ceremonies.load(name) for name in bench.ceremonies.names()}
    assert {name: empty.ceremonies.load(name) for name in empty.ceremonies.names()} == held
    run(empty, "key.publish", directory=str(_folder(tmp_path / "after")))
    before, after = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("before", "after")
    )
    assert before == after
    assert any(name.startswith("transition-minisign-") for name in after)


def test_where_nobody_knows_a_head_signing_asks_for_a_reason(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    outcome = restore(empty, media / "anna", answers(lost))
    assert outcome.data["journal_compared"] is False
    judged = pol_3(empty, tmp_path)
    assert (judged.result, judged.waivable) == (Result.FAILED, True)
    assert "may lack newer entries" in judged.text
    assert "may lack newer entries" in str(home_page(empty))


def test_a_newer_head_tells_how_many_entries_are_missing(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    there = number_of(media / "anna")
    outcome = restore(empty, media / "anna", answers(lost, head=head_of(lost, there + 1)))
    assert outcome.data["missing_entries"] == 1
    assert "ENTRIES ARE MISSING" in str(outcome.pages[0])
    facts = msgspec.convert(empty.journal.entries()[-1].facts, RestoredFacts)
    assert facts.missing == 1
    judged = pol_3(empty, tmp_path)
    assert judged.result is Result.FAILED
    assert "lacks 1 entries" in judged.text


def test_a_release_signed_since_closes_the_gap(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    restore(empty, media / "anna", answers(lost))
    assert pol_3(empty, tmp_path).result is Result.FAILED
    given: dict[str, Answer] = {
        "clock": "yes",
        "confirm": "v0.3.0",
        **secrets(minisign=MINISIGN, gpg=OPENPGP),
        "waive.POL-3": "looked up what is published: v0.2.0 is the last",
        "waive.POL-5": "a new mirror has no history yet",
        "waive.POL-7": "there is none in a test",
    }
    arguments = {"version": "v0.3.0", **{k: str(v) for k, v in given.items() if "waive" in k}}
    run(empty, "release.sign", given, **arguments)
    folder = rename_release(downloads_copy(tmp_path / "later"), "0.4.0", b"later")
    run(empty, "release.import", directory=str(folder), version="v0.4.0")
    results = evaluate(
        empty, empty.candidate("v0.4.0"), visit="manifest", clock_confirmed=True, waivers={}
    )
    assert next(r for r in results if r.id == "POL-3").result is Result.PASSED


def test_a_second_medium_that_is_newer_gives_its_journal(
    empty: Workbench, lost: Workbench, media: Path
) -> None:
    given = answers(lost, **{"second-medium": str(media / "bob")})
    restore(empty, media / "anna", given)
    entries, newer = empty.journal.entries(), number_of(media / "bob")
    assert newer > number_of(media / "anna")
    assert entries[:-1] == lost.journal.entries()[:newer]
    facts = msgspec.convert(entries[-1].facts, RestoredFacts)
    assert (facts.set_number, facts.journal_n) == (number_of(media / "anna"), newer)
    assert empty.ledger().cut_short == ()


def test_the_set_of_a_rotation_is_passed_over_and_the_old_key_is_told(
    empty: Workbench, tmp_path: Path
) -> None:
    with backed_up(tmp_path) as held:
        bench = held.bench
        paper, old = from_paper(bench), ROTATED.active(bench)
        media = [f"{name}={held.folder / name.casefold()}" for name in PEOPLE]
        fresh = {"new": NEW_PHRASE, "custodian": b"anna newer", "custodian-2": b"bob newer"}
        given = {**typed({**PHRASES, **fresh}), **backup_answers(media, None)}
        run(bench, ROTATED.entry, {**given, "confirm": ROTATED.confirmation(bench)})
    medium = held.folder / "anna"
    newest = max(int(folder.name.split("-")[2]) for folder in medium.iterdir())
    outcome = restore(empty, medium, {**paper, **typed(PEOPLE[ANNA])})
    assert outcome.data["rotated_since"] == [newest]
    assert "A KEY WAS ROTATED SINCE" in str(outcome.pages)
    assert outcome.data["keys"][0] == old
    with (
        opened(new_vault(tmp_path / "another")) as another,
        pytest.raises(UsageError) as caught,
    ):
        restore(another, medium, {**paper, **typed(PEOPLE[ANNA]), "set": str(newest)})
    assert "written in a rotation" in str(caught.value.hint)


@pytest.mark.parametrize("copy", ["a", "b", "c"])
def test_one_whole_copy_is_enough(
    empty: Workbench, lost: Workbench, media: Path, copy: str
) -> None:
    for folder in media.glob("anna/*"):
        if not folder.name.endswith(copy):
            data = bytearray((folder / "gpg-secret.asc").read_bytes())
            data[200] ^= 1
            (folder / "gpg-secret.asc").write_bytes(data)
    speaker = Silent()
    play(
        catalogue.begin(empty, "backup.restore", {"directory": str(media / "anna")}),
        answers(lost),
        speaker,
    )
    assert empty.registry_store.load()


# --- refusals: nothing is changed ---------------------------------------------------------------


def wrong_fingerprint(lost: Workbench, media: Path) -> dict[str, Answer]:
    return answers(lost, fingerprint="0123456789ABCDEF" * 2 + "01234567")


def wrong_minisign(lost: Workbench, media: Path) -> dict[str, Answer]:
    return answers(lost, **{"minisign-key": "ab" * 32})


def no_fingerprint(lost: Workbench, media: Path) -> dict[str, Answer]:
    return {name: a for name, a in answers(lost).items() if name != "fingerprint"}


def wrong_phrase(lost: Workbench, media: Path) -> dict[str, Answer]:
    return {**answers(lost), "custodian": weak_passphrase(b"not Anna's")}


def forked_head(lost: Workbench, media: Path) -> dict[str, Answer]:
    return answers(lost, head=f"3 {'ab' * 32}")


def no_head(lost: Workbench, media: Path) -> dict[str, Answer]:
    return answers(lost, head="the last one")


def all_damaged(lost: Workbench, media: Path) -> dict[str, Answer]:
    for file in media.glob("anna/*/minisign.key"):
        file.write_bytes(file.read_bytes()[:-3] + b"AA\n")
    return answers(lost)


def journal_changed(lost: Workbench, media: Path) -> dict[str, Answer]:
    for file in media.glob("anna/*/journal.jsonl"):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:-1]))
    return answers(lost)


def unsigned(lost: Workbench, media: Path) -> dict[str, Answer]:
    for file in media.glob("anna/*/MANIFEST.txt.asc"):
        file.unlink()
    return answers(lost)


def nothing_there(lost: Workbench, media: Path) -> dict[str, Answer]:
    shutil.rmtree(media / "anna")
    (media / "anna").mkdir()
    return answers(lost)


def other_second(lost: Workbench, media: Path) -> dict[str, Answer]:
    (media / "empty").mkdir()
    return answers(lost, **{"second-medium": str(media / "empty")})


@pytest.mark.parametrize(
    ("prepare", "family", "code"),
    [
        (wrong_fingerprint, DigestMismatch, "REV-1/compared"),
        (wrong_minisign, DigestMismatch, "REV-1/compared"),
        (no_fingerprint, UsageError, "CUS-2/paper-card"),
        (wrong_phrase, PolicyRefused, "KEY-1/wrong-passphrase"),
        (forked_head, JournalTampered, "CUS-4/forked"),
        (no_head, UsageError, "CUS-4/head"),
        (all_damaged, PolicyRefused, "CUS-4/newest-set"),
        (journal_changed, PolicyRefused, "CUS-4/newest-set"),
        (unsigned, PolicyRefused, "CUS-4/newest-set"),
        (nothing_there, MediumError, "CUS-4/no-backup"),
        (other_second, MediumError, "CUS-4/no-backup"),
    ],
)
def test_refused_and_the_vault_is_as_new(
    empty: Workbench,
    lost: Workbench,
    media: Path,
    prepare: Callable[[Workbench, Path], dict[str, Answer]],
    family: type[SignerError],
    code: str,
) -> None:
    given = prepare(lost, media)
    with pytest.raises(family) as caught:
        restore(empty, media / "anna", given)
    assert caught.value.code == code
    assert caught.value.unchanged
    assert is_as_new(empty)


def test_a_wrong_openpgp_passphrase_leaves_the_other_key_for_the_next_try(
    empty: Workbench, lost: Workbench, media: Path
) -> None:
    given = {**answers(lost), "custodian-gpg": weak_passphrase(b"not Anna's")}
    with pytest.raises(PolicyRefused):
        restore(empty, media / "anna", given)
    assert not empty.openpgp.stray(())
    assert events(empty) == ["vault.created"]
    restore(empty, media / "anna", answers(lost))
    assert len(empty.registry().keys) == 2


def test_a_rehearsal_is_not_restored_as_real(tmp_path: Path, lost: Workbench, media: Path) -> None:
    with opened(keyed_vault(tmp_path / "rehearsal", rehearsal=True)) as practice:
        make_set(practice, tmp_path / "practice", ANNA)
    with (
        opened(new_vault(tmp_path / "new")) as bench,
        pytest.raises(PolicyRefused) as caught,
    ):
        restore(bench, tmp_path / "practice", answers(lost))
    assert "REHEARSAL" in caught.value.summary


def test_another_second_medium_is_not_believed(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    with opened(strangers_vault(tmp_path / "stranger")) as stranger:
        make_set(stranger, tmp_path / "theirs", BOB)
    given = answers(lost, **{"second-medium": str(tmp_path / "theirs")})
    with pytest.raises(UntrustedKey) as caught:
        restore(empty, media / "anna", given)
    assert caught.value.code == "CUS-4/second-keys"
    assert is_as_new(empty)


def rewritten(vault: Path, to: Path, keep: int) -> Path:
    """A copy of ``vault`` whose journal has another entry behind the first ``keep``."""
    last = rolled_back(vault, to, keep)
    other = next_entry(last, last.time, "key.published", {"directory": "elsewhere"})
    with (to / "journal.jsonl").open("ab") as file:
        file.write(encode_entry(other))
    (to / "journal.head").write_text(f"{other.n} {other.hash}\n")
    return to


def rolled_back(vault: Path, to: Path, keep: int) -> JournalEntry:
    """A copy of ``vault`` as an old one: nothing in it knows a later entry; its last entry."""
    shutil.copytree(vault, to)
    lines = (to / "journal.jsonl").read_bytes().splitlines(keepends=True)[:keep]
    (to / "journal.jsonl").write_bytes(b"".join(lines))
    last = parse_journal(b"".join(lines))[-1]
    (to / "journal.head").write_text(f"{last.n} {last.hash}\n")
    for folder in ("releases", "ceremonies"):
        shutil.rmtree(to / folder, ignore_errors=True)
    return last


def test_a_second_medium_with_another_history_is_loud(
    empty: Workbench, lost: Workbench, media: Path, tmp_path: Path
) -> None:
    keep = number_of(media / "anna") - 1
    with opened(rewritten(prepared() / "vault", tmp_path / "forked", keep)) as forked:
        make_set(forked, tmp_path / "theirs", BOB)
    given = answers(lost, **{"second-medium": str(tmp_path / "theirs")})
    with pytest.raises(JournalTampered) as caught:
        restore(empty, media / "anna", given)
    assert caught.value.code == "CUS-4/forked"
    assert is_as_new(empty)


# --- a vault that has a life of its own ---------------------------------------------------------


def test_nothing_is_restored_over_a_vault_with_keys(lost: Workbench, media: Path) -> None:
    before = lost.journal.entries()
    with pytest.raises(PolicyRefused) as caught:
        restore(lost, media / "anna", {})
    assert caught.value.code == "CUS-4/not-new"
    assert lost.journal.entries() == before


def test_nor_over_a_journal_without_keys(empty: Workbench, lost: Workbench, media: Path) -> None:
    empty.journal.append("key.published", {"directory": "somewhere"})
    with pytest.raises(PolicyRefused) as caught:
        restore(empty, media / "anna", answers(lost))
    assert caught.value.code == "CUS-4/not-new"
    assert events(empty) == ["vault.created", "key.published"]


def test_a_vault_that_was_rolled_back_is_noticed(media: Path, tmp_path: Path) -> None:
    vault = tmp_path / "old"
    rolled_back(prepared() / "vault", vault, 2)
    with opened(vault) as bench, pytest.raises(JournalTampered) as caught:
        restore(bench, media / "anna", {})
    assert caught.value.code == "CUS-4/rolled-back"
    assert caught.value.exit_code == 4


def test_a_vault_whose_journal_was_written_anew_is_noticed(media: Path, tmp_path: Path) -> None:
    with (
        opened(rewritten(prepared() / "vault", tmp_path / "forked", 3)) as bench,
        pytest.raises(JournalTampered) as caught,
    ):
        restore(bench, media / "anna", {})
    assert caught.value.code == "CUS-4/forked"


def test_a_medium_of_strangers_alarms_nobody(lost: Workbench, tmp_path: Path) -> None:
    with opened(strangers_vault(tmp_path / "stranger")) as stranger:
        make_set(stranger, tmp_path / "theirs", BOB)
    with pytest.raises(UntrustedKey) as caught:
        restore(lost, tmp_path / "theirs", {})
    assert caught.value.code == "CUS-4/unknown-signer"


# --- crashes ------------------------------------------------------------------------------------


class _Killed(BaseException):
    """The process is gone."""


def killed(*_: object, **__: object) -> None:
    raise _Killed


@pytest.mark.parametrize(
    "place",
    [
        "pai_signer.adapters.minisign:MinisignKeyDirectory.adopt",
        "pai_signer.adapters.journal_file:FileJournal._finish_take_over",
        "pai_signer.adapters.journal_file:FileJournal._write_head",
        "pai_signer.adapters.journal_file:FileJournal.append",
        "pai_signer.adapters.vault_files:FileRegistry.save",
        "pai_signer.adapters.vault_files:FileRevocations.save",
    ],
)
def test_a_run_that_was_killed_goes_on(
    lost: Workbench,
    media: Path,
    tmp_path: Path,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault = new_vault(tmp_path / "new")
    module, _, path = place.partition(":")
    owner = getattr(importlib.import_module(module), path.split(".")[0])
    with opened(vault) as bench, monkeypatch.context() as patched:
        patched.setattr(owner, path.split(".")[1], killed)
        with suppress(_Killed):
            restore(bench, media / "anna", answers(lost))
    with opened(vault) as bench:
        if not bench.registry_store.load():
            restore(bench, media / "anna", answers(lost))
        entries = bench.journal.entries()
        assert events(bench).count("custody.restored") == 1
        assert entries[:-1] == lost.journal.entries()[: len(entries) - 1]
        assert bench.registry_store.load() == lost.registry_store.load()
        assert len(bench.minisign.stray(())) == len(bench.openpgp.stray(())) == 1


def test_a_run_that_is_given_up_leaves_no_key(
    empty: Workbench, lost: Workbench, media: Path
) -> None:
    given = {**answers(lost), "custodian-gpg": weak_passphrase(b"not Anna's")}
    with pytest.raises(PolicyRefused):
        restore(empty, media / "anna", given)
    assert empty.minisign.stray(())
    catalogue.begin(empty, "backup.restore", {"directory": str(media / "anna")}).discard()
    assert is_as_new(empty)
