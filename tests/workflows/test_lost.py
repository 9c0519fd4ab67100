"""Each wizard withdraws what cannot be counted on, and leads to what comes next (CUS-4)."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pai_signer.domain.custody import WithdrawalCause, WithdrawnFacts
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.custody.lost_cases import CASES
from pai_signer.workflows.engine import Answer, Outcome
from pai_signer.workflows.workbench import Workbench
from tests.workflows.backups import Drawer, backed_up
from tests.workflows.bench import Silent, events, run

WHY = "left in the train"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Drawer]:
    with backed_up(tmp_path) as drawer:
        yield drawer


def lose(bench: Workbench, what: str, speaker: Silent | None = None, **given: str) -> Outcome:
    answers: dict[str, Answer] = {"whose": "Bob", "why": WHY, **given}
    return run(bench, f"backup.lost.{what}", answers, speaker)


def withdrawn(bench: Workbench) -> WithdrawnFacts:
    entry = bench.journal.entries()[-1]
    assert entry.event == "backup.withdrawn"
    return msgspec.convert(entry.facts, WithdrawnFacts)


def enough(bench: Workbench) -> bool:
    custody = bench.ledger().custody(bench.registry(), bench.profile.custody, bench.clock.now())
    return all(status.is_enough for _, status in custody)


@pytest.mark.parametrize(
    ("what", "happened", "cause"),
    [
        ("medium", "lost", WithdrawalCause.MEDIUM_LOST),
        ("medium", "destroyed", WithdrawalCause.MEDIUM_LOST),
        ("medium", "damaged", WithdrawalCause.MEDIUM_DAMAGED),
        ("passphrase", "forgotten", WithdrawalCause.PASSPHRASE_LOST),
        ("passphrase", "known", WithdrawalCause.PASSPHRASE_LOST),
        ("maintainer", "returned", WithdrawalCause.CUSTODIAN_LEFT),
        ("maintainer", "kept", WithdrawalCause.CUSTODIAN_LEFT),
        ("maintainer", "died", WithdrawalCause.CUSTODIAN_LEFT),
    ],
)
def test_what_is_lost_counts_no_more(
    held: Drawer, what: str, happened: str, cause: WithdrawalCause
) -> None:
    bench = held.bench
    assert enough(bench)
    registry, speaker = bench.registry(), Silent()
    outcome = lose(bench, what, speaker, happened=happened, others="no")
    assert not enough(bench)
    facts = withdrawn(bench)
    assert (facts.cause, facts.why) == (cause, WHY)
    custodian, uuid = {
        "medium": ("", "UUID-bob"),
        "passphrase": ("Bob", "UUID-bob"),
        "maintainer": ("Bob", ""),
    }[what]
    assert (facts.custodian, facts.medium.uuid) == (custodian, uuid)
    assert bench.ledger().custodians() == ("Anna",)
    # Nobody else can use it, so no key has to go; the custody that is left is told at once.
    assert outcome.data["compromised"] is False
    assert not [command for command in outcome.data["next"] if "rotate" in command]
    assert [key["enough"] for key in outcome.data["custody"]] == [False, False]
    assert "1 of 2 custodians proved" in str(outcome.pages)
    assert "does not wipe flash" in str(speaker.shown)
    assert bench.registry() == registry


@pytest.mark.parametrize(
    ("what", "happened"), [("medium", "lost"), ("passphrase", "known"), ("maintainer", "kept")]
)
def test_where_others_may_use_it_the_keys_are_compromised(
    held: Drawer, what: str, happened: str
) -> None:
    outcome = lose(held.bench, what, happened=happened, others="yes")
    assert outcome.data["compromised"] is True
    assert outcome.data["next"][:2] == [
        "key rotate minisign --reason compromised",
        "key rotate gpg --reason compromised",
    ]
    assert "THE KEYS COUNT AS COMPROMISED" in str(outcome.pages)
    assert not enough(held.bench)


def test_what_lies_on_the_lost_medium_too_is_withdrawn_with_it(held: Drawer) -> None:
    bench = held.bench
    held.create("Carl", held.folder / "bob", {"custodian": b"c", "custodian-gpg": b"c gpg"})
    speaker = Silent()
    lose(bench, "medium", speaker, happened="lost", others="no")
    assert bench.ledger().custodians() == ("Anna",)
    assert "Carl" in str(speaker.shown)


def test_a_lost_passphrase_of_one_medium_leaves_the_other_one(held: Drawer) -> None:
    bench = held.bench
    held.create("Bob", held.stick("spare"))
    with pytest.raises(UsageError):  # which of the two?
        lose(bench, "passphrase", happened="forgotten")
    lose(bench, "passphrase", happened="forgotten", which="UUID-bob")
    assert bench.ledger().custodians() == ("Anna", "Bob")
    assert enough(bench)


def test_a_new_set_after_it_counts_again(held: Drawer) -> None:
    lose(held.bench, "passphrase", happened="forgotten")
    assert not enough(held.bench)
    held.create("Bob", held.folder / "bob")
    assert enough(held.bench)


@pytest.mark.parametrize(
    "given",
    [
        {"happened": "lost"},
        {"others": "no"},
        {"happened": "lost", "others": "no", "why": " "},
        {"whose": "Zora", "happened": "lost", "others": "no"},
        {"happened": "eaten", "others": "no"},
    ],
)
def test_nothing_is_withdrawn_without_every_answer(held: Drawer, given: dict[str, str]) -> None:
    before = events(held.bench)
    answers: dict[str, Answer] = {"whose": "Bob", "why": WHY, **given}
    with pytest.raises(UsageError):
        run(held.bench, "backup.lost.medium", answers)
    assert events(held.bench) == before
    assert enough(held.bench)


def test_where_no_backup_is_known_none_can_be_lost(keyed: Workbench) -> None:
    for what in CASES:
        with pytest.raises(PolicyRefused) as caught:
            lose(keyed, what, happened="lost")
        assert caught.value.code == "CUS-4/none-known"


def test_every_case_says_what_follows_each_answer() -> None:
    for case in CASES.values():
        assert set(case.follows) == set(case.happened)
        assert case.harmless < set(case.happened)
        assert set(case.causes) <= set(case.happened)
