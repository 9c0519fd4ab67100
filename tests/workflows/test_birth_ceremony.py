"""Keys are born in a ceremony: compared (REV-1), revocable, and never made twice (KEY-1)."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters.passphrases import WordListPassphrases
from pai_signer.domain.ceremony import TRANSCRIPT_NAME, Transcript, parse_transcript
from pai_signer.domain.host import Interface
from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, DigestMismatch, PolicyRefused
from pai_signer.workflows import catalogue
from pai_signer.workflows.ceremony.frame import TRANSCRIPT_TEXT
from pai_signer.workflows.engine import Answer, Automatic, Conversation, SecretText
from pai_signer.workflows.workbench import Workbench
from tests.keys import WEAK_PASSPHRASE, weak_minisign_key, weak_openpgp_key
from tests.workflows.bench import (
    OFFLINE,
    PHRASES,
    FakeHost,
    events,
    new_vault,
    opened,
    run,
    secrets,
)
from tests.workflows.dying import Killed, KillingPort, with_port

GENERATE: Final = "key.generate"
PEOPLE: Final = {"second": "Ben", "witness": "Wim", "verdict": "accept"}


def fresh(name: str) -> Secret:
    return Secret(bytearray(PHRASES[name]))


def begin(bench: Workbench, **arguments: str) -> Conversation[Any]:
    return catalogue.begin(bench, GENERATE, arguments)


def walk(talk: Conversation[Any], until: str, answers: Mapping[str, Answer] | None = None) -> None:
    """Take every step before ``until``, as flags alone would."""
    given = answers or {}
    while (step := talk.step) is not None and step.id != until:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        secret = isinstance(question, SecretText)
        answer = fresh(question.name) if secret else given.get(question.name, default)
        talk.answer(answer, Progress())


def killing(bench: Workbench, port: str, method: str) -> Workbench:
    """The same bench, which dies once ``method`` of that port has done its work."""
    return with_port(bench, port, KillingPort(getattr(bench, port), method))


def made(bench: Workbench) -> set[str]:
    """Every secret key in the vault."""
    return {*bench.minisign.stray(()), *bench.openpgp.stray(())}


def transcript(bench: Workbench) -> Transcript:
    (name,) = bench.ceremonies.names()
    return parse_transcript(bench.ceremonies.load(name)[TRANSCRIPT_NAME])


# --- in company, and alone --------------------------------------------------------------------


def test_in_company_both_keys_are_compared_by_typing_and_the_witness_accepts(
    empty: Workbench,
) -> None:
    talk = begin(empty)
    walk(talk, "compare-minisign", PEOPLE)
    minisign, openpgp = talk.state.added
    heard = {
        "compare-minisign": parse_public_key(minisign.public_key).ed25519.hex(),
        "compare-gpg": openpgp.id,
    }
    walk(talk, "no such step", {**PEOPLE, **heard})
    t = transcript(empty)
    assert ["".join(c.groups) for c in t.comparisons] == [
        heard["compare-minisign"],
        openpgp.id.lower(),
    ]
    assert {(c.read_by, c.typed_by) for c in t.comparisons} == {("Mia Maintainer", "Ben")}
    assert t.verdict is not None
    assert t.verdict.accepts
    assert t.exceptions == ()
    (no_return,) = [step.id for step in t.steps if step.point_of_no_return]
    assert no_return == "register"
    text = empty.ceremonies.load(t.ceremony)[TRANSCRIPT_TEXT].decode()
    assert "Wim ACCEPTS" in text
    assert all(len(line) < 80 for line in text.splitlines())


def test_alone_what_nobody_did_stands_there_as_not_done(empty: Workbench) -> None:
    run(empty, GENERATE, secrets(), only="minisign")
    t = transcript(empty)
    assert [p.name for p in t.participants] == ["Mia Maintainer"]
    assert t.verdict is None
    assert t.comparisons == ()
    assert [(e.step, e.happened) for e in t.exceptions] == [("compare-minisign", "not compared")]
    assert [p.text for p in t.preconditions if not p.met] == ["not compared", "not compared"]
    assert "free space" in [p.name for p in t.preconditions]
    assert events(empty)[-2:] == ["key.generated", "ceremony.ended"]
    assert empty.journal.entries()[-2].facts["ceremony"] == t.ceremony


def test_a_wrong_comparison_registers_nothing(empty: Workbench) -> None:
    talk = begin(empty, only="minisign")
    walk(talk, "compare-minisign")
    with pytest.raises(DigestMismatch):
        talk.answer("00" * 32, Progress())
    assert empty.registry().keys == ()
    assert talk.step is not None
    assert talk.step.id == "compare-minisign"


@pytest.mark.parametrize(
    "unfit",
    [
        {"interfaces": (Interface("eth0", is_up=True, is_wireless=False),)},
        {"memory_available_bytes": 1 << 30},
        {"vault_free_bytes": 1 << 20},
        {"vault_free_bytes": None},
    ],
)
def test_on_an_unfit_machine_nothing_is_made_without_a_reason(
    empty: Workbench, unfit: dict[str, Any]
) -> None:
    bench = dataclasses.replace(empty, host=FakeHost(dataclasses.replace(OFFLINE, **unfit)))
    with pytest.raises(PolicyRefused) as error:
        run(bench, GENERATE, secrets(), only="minisign")
    assert error.value.code == "KEY-1/preconditions"
    assert made(bench) == set()
    assert events(bench) == ["vault.created"]
    run(bench, GENERATE, {"despite": "a practice machine", **secrets()}, only="minisign")
    assert transcript(bench).exceptions[0].decided == "a practice machine"


def test_production_refuses_a_weak_new_passphrase_and_asks_again(empty: Workbench) -> None:
    strict = dataclasses.replace(empty, passphrases=WordListPassphrases())
    talk = begin(strict, only="minisign")
    walk(talk, "passphrase-minisign")
    before = talk.state
    with pytest.raises(PolicyRefused, match="Too weak"):
        talk.answer(fresh("minisign"), Progress())
    assert (talk.state, made(strict)) == (before, set())
    with strict.passphrases.offer() as words:
        talk.answer(Secret(bytearray(words.reveal())), Progress())
    walk(talk, "no such step")
    assert len(strict.registry().keys) == 1


def test_a_weak_passphrase_of_an_existing_key_is_not_judged(
    empty: Workbench, tmp_path: Path
) -> None:
    strict = dataclasses.replace(empty, passphrases=WordListPassphrases())
    (tmp_path / "old.key").write_bytes(weak_minisign_key().key_file)
    given = {"minisign": Secret(bytearray(WEAK_PASSPHRASE))}
    run(strict, "key.import.minisign", given, file=str(tmp_path / "old.key"))
    assert len(strict.registry().keys) == 1


@pytest.mark.parametrize("entry", ["key.generate.script", "key.import.script"])
def test_the_script_names_the_steps_of_this_very_ceremony(empty: Workbench, entry: str) -> None:
    both = run(empty, entry).data["script"]
    assert "Compare the minisign public key" in both
    assert both.index("Compare the minisign public key") < both.index("POINT OF NO RETURN")
    assert both.index("POINT OF NO RETURN") < both.index("MAINTAINER: Register")
    assert all(len(line) < 80 and line.isascii() for line in both.splitlines())
    minisign = run(empty, entry, only="minisign", system="minisign").data["script"]
    assert "OpenPGP fingerprint" not in minisign
    assert ("Key file" in minisign) is (entry == "key.import.script")
    assert events(empty) == ["vault.created"]


# --- revocations made at birth ----------------------------------------------------------------


def test_both_revocations_are_made_kept_private_and_do_what_they_say(
    empty: Workbench, tmp_path: Path
) -> None:
    run(empty, GENERATE, secrets(), only="gpg")
    (key,) = empty.registry().keys
    files = empty.revocations.load(key.id)
    reasons = {
        name: empty.openpgp_life.check_revocation(key.id, block).reason
        for name, block in files.items()
    }
    assert reasons == {
        "compromised.asc": RevocationReason.COMPROMISED,
        "superseded.asc": RevocationReason.SUPERSEDED,
    }
    vault = tmp_path / "vault"
    for path in (vault / "revocations" / key.id).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    # gpg's own has no reason: whoever found it could kill every signature without one.
    assert list((vault / "keys" / "gnupg").glob("openpgp-revocs.d/*")) == []


def test_an_imported_key_gets_them_too(empty: Workbench, tmp_path: Path) -> None:
    (tmp_path / "old.asc").write_bytes(weak_openpgp_key().secret_export)
    given = {"gpg": Secret(bytearray(WEAK_PASSPHRASE))}
    run(empty, "key.import.gpg", given, file=str(tmp_path / "old.asc"))
    assert empty.revocations.names() == (weak_openpgp_key().info.fingerprint,)


# --- killed -------------------------------------------------------------------------------------

STEPS: Final = (
    *("begin", "second", "witness", "materials", "preconditions", "clock-first"),
    *("clock-second", "explain", "passphrase-minisign", "add-minisign"),
    *("compare-minisign", "register", "transcript"),
)


@pytest.mark.parametrize("at", STEPS)
def test_killed_before_a_step_it_goes_on_there_and_asks_for_the_secret_again(
    tmp_path: Path, at: str
) -> None:
    vault = new_vault(tmp_path / "vault")
    with opened(vault) as bench:
        walk(begin(bench, only="minisign"), at)
        before = made(bench)
    with opened(vault) as bench:  # as another process would
        talk = begin(bench, only="minisign")
        assert talk.resumed is (at != "begin")
        assert talk.step is not None
        is_between = STEPS.index("passphrase-minisign") < STEPS.index(at) <= STEPS.index("register")
        assert talk.step.id == ("passphrase-minisign" if is_between else at)
        run(bench, GENERATE, secrets(), only="minisign")
        (key,) = bench.registry().keys
        assert made(bench) == {key.id}
        assert before <= {key.id}
        assert events(bench).count("key.generated") == 1
        assert len(bench.ceremonies.names()) == 1


WORK: Final = {
    "minisign key stored": ("minisign", "generate"),
    "OpenPGP key stored": ("openpgp", "generate"),
    "revocations stored": ("revocations", "save"),
    "journalled": ("journal", "append"),
    "registered": ("registry_store", "save"),
    "transcript stored": ("ceremonies", "save"),
}


@pytest.mark.parametrize("moment", WORK)
def test_killed_between_the_work_and_its_saved_state_no_second_key_is_made(
    tmp_path: Path, moment: str
) -> None:
    vault = new_vault(tmp_path / "vault")
    with opened(vault) as bench, pytest.raises(Killed):
        run(killing(bench, *WORK[moment]), GENERATE, secrets())
    with opened(vault) as bench:
        before = made(bench)
        assert before
        run(bench, GENERATE, secrets())
        registered = {key.id for key in bench.registry().keys}
        assert made(bench) == registered
        assert before <= registered
        assert len(registered) == 2
        assert len(bench.ceremonies.names()) == 1
        (openpgp,) = bench.registry().of(Algorithm.OPENPGP)
        assert bench.revocations.names() == (openpgp.id,)


def test_a_killed_import_takes_the_key_in_once(empty: Workbench, tmp_path: Path) -> None:
    (tmp_path / "old.key").write_bytes(weak_minisign_key().key_file)
    arguments = {"file": str(tmp_path / "old.key")}
    given = {"minisign": Secret(bytearray(WEAK_PASSPHRASE))}
    with pytest.raises(Killed):
        run(killing(empty, "minisign", "import_key"), "key.import.minisign", given, **arguments)
    given = {"minisign": Secret(bytearray(WEAK_PASSPHRASE))}
    run(empty, "key.import.minisign", given, **arguments)
    assert [key.public_key for key in empty.registry().keys] == [weak_minisign_key().public_key]


def test_a_key_that_lay_there_before_is_neither_taken_nor_removed(empty: Workbench) -> None:
    strange = parse_public_key(empty.minisign.generate(fresh("minisign"))).shown_id
    with pytest.raises(Killed):
        run(killing(empty, "minisign", "generate"), GENERATE, secrets(), only="minisign")
    assert len(made(empty)) == 2
    begin(empty, only="minisign").discard()
    assert made(empty) == {strange}
    run(empty, GENERATE, secrets(), only="minisign")
    assert strange not in {key.id for key in empty.registry().keys}


def test_a_discarded_birth_leaves_neither_keys_nor_revocations(empty: Workbench) -> None:
    talk = begin(empty)
    walk(talk, "register")
    assert len(made(empty)) == 2
    assert len(empty.revocations.names()) == 1
    talk.discard()
    assert made(empty) == set()
    assert empty.revocations.names() == ()
    assert empty.ceremonies.names() == ()
    assert events(empty) == ["vault.created", "key.birth-discarded"]


def test_a_birth_given_up_behind_the_registry_keeps_its_transcript(empty: Workbench) -> None:
    talk = begin(empty)
    walk(talk, "transcript")
    talk.discard()
    assert len(empty.registry().keys) == 2
    [ceremony] = empty.ceremonies.names()
    transcript = empty.ceremonies.load(ceremony)["transcript.txt"].decode()
    assert "given up behind its point of no return" in transcript
    assert events(empty)[-2:] == ["key.generated", "ceremony.ended"]


def test_walking_back_over_a_new_key_makes_no_second_one(empty: Workbench) -> None:
    talk = begin(empty, only="minisign")
    walk(talk, "register")
    before = made(empty)
    while talk.can_go_back:
        talk.back()
    run(empty, GENERATE, secrets(), only="minisign")
    assert made(empty) == before == {key.id for key in empty.registry().keys}


def test_a_failing_disk_registers_nothing_and_the_work_goes_on(empty: Workbench) -> None:
    class Full:
        def save(self, *_: object) -> None:
            raise CannotTell("TEST/disk", "The disk is full.", "Make room.")

    with pytest.raises(CannotTell) as caught:
        run(with_port(empty, "revocations", Full()), GENERATE, secrets(), only="gpg")
    assert caught.value.unchanged is not None
    assert "registry was not changed" in caught.value.unchanged
    assert empty.registry().keys == ()
    before = made(empty)
    run(empty, GENERATE, secrets(), only="gpg")
    assert made(empty) == before
