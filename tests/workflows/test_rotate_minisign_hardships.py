"""A rotation under a wrong clock, on changed ground, given up half way (KEY-3, POL-8, SEC-2)."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Answer, Automatic, Conversation
from pai_signer.workflows.keys.rotate_minisign import MinisignRotation
from pai_signer.workflows.keys.rotation import rotation
from pai_signer.workflows.script import MemoryStates
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import ShiftedClock, Silent, events, keyed_vault, opened, run, secrets
from tests.workflows.dying import Killed

ROTATE: Final = "key.rotate.minisign"
NEW_PHRASE: Final = b"weak new phrase"
TIME: Final = "%Y-%m-%d %H:%M"


def active(bench: Workbench) -> str:
    key = bench.registry().signing_key(Algorithm.MINISIGN)
    assert key is not None
    return key.id


def rotate(bench: Workbench, **answers: Answer) -> str:
    given = {"confirm": active(bench), **secrets(new=NEW_PHRASE), **answers}
    return str(run(bench, ROTATE, given).data["new"])


def walk(talk: Conversation[Any], until: str) -> None:
    """Take every step before ``until``, as flags alone would."""
    given = secrets(new=NEW_PHRASE)
    while (step := talk.step) is not None and step.id != until:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        answer = talk.state.old if question.name == "confirm" else default
        talk.answer(given.get(question.name, answer), Progress())


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def timed(tmp_path: Path, clock: ShiftedClock) -> Iterator[Workbench]:
    """A vault with keys, whose clock a test moves."""
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        yield bench


# --- the clock ---------------------------------------------------------------------------------


def test_a_clock_years_ahead_is_refused_where_nobody_compared_it(
    timed: Workbench, clock: ShiftedClock
) -> None:
    """Else the registry could not be changed again before that day came."""
    clock.shift = timedelta(days=390)
    until = good_expiry_day((timed.clock.now() + timedelta(days=700)).date(), AvoidedDays())
    run(timed, "key.extend", {"clock": YES, **secrets()}, until=until.isoformat())
    clock.shift += timedelta(days=405)
    before = (timed.registry_store.load(), events(timed))
    for _ in range(2):  # it asks again
        with pytest.raises(PolicyRefused) as error:
            rotate(timed)
        assert error.value.code == "POL-8/clock"
        assert "nobody compared" in error.value.summary
        assert (timed.registry_store.load(), events(timed)) == before
    rotate(timed, **{"clock-second": timed.clock.now().strftime(TIME)})


@pytest.mark.parametrize("days", [0, 29, 30])
def test_a_clock_that_falls_back_in_between_is_noticed_at_the_point_of_no_return(
    timed: Workbench, clock: ShiftedClock, days: int
) -> None:
    """The laptop's battery died over night; the ceremony goes on in the morning."""
    old = active(timed)
    clock.shift = timedelta(days=31)
    walk(catalogue.begin(timed, ROTATE, {}), "rotate")
    clock.shift = timedelta(days=days, seconds=60)  # no entry says yet that 31 days passed
    before = (timed.registry_store.load(), events(timed), timed.ceremonies.names())
    with pytest.raises(PolicyRefused) as error:
        rotate(timed)
    assert error.value.code == "POL-8/clock"
    assert "last step of this ceremony" in error.value.summary
    assert (timed.registry_store.load(), events(timed), timed.ceremonies.names()) == before
    clock.shift = timedelta(days=31)
    new = rotate(timed)
    assert set(timed.minisign.stray(())) == {old, new}


@pytest.mark.parametrize("leap", [390, 405])
def test_a_clock_that_leaps_in_between_is_noticed_at_the_point_of_no_return(
    timed: Workbench, clock: ShiftedClock, leap: int
) -> None:
    clock.shift = timedelta(days=390)
    until = good_expiry_day((timed.clock.now() + timedelta(days=700)).date(), AvoidedDays())
    run(timed, "key.extend", {"clock": YES, **secrets()}, until=until.isoformat())
    walk(catalogue.begin(timed, ROTATE, {}), "rotate")
    clock.shift += timedelta(days=leap)
    before = (timed.registry_store.load(), events(timed))
    if leap < 400:  # within the profile's limit
        rotate(timed)
        return
    with pytest.raises(PolicyRefused) as error:
        rotate(timed)
    assert error.value.code == "POL-8/clock"
    assert (timed.registry_store.load(), events(timed)) == before


# --- changed ground ----------------------------------------------------------------------------


def test_a_rotation_that_another_one_overtook_is_refused(timed: Workbench) -> None:
    """A ceremony begun, another one carried out (after an incident), the first one resumed."""
    first = active(timed)
    talk = catalogue.begin(timed, ROTATE, {})
    walk(talk, "rotate")
    assert talk.state.old == first
    other = dataclasses.replace(
        rotation(MinisignRotation(timed), "scheduled"), name="another-ceremony"
    )
    overtaking = Conversation(other, MemoryStates(), timed.session)
    walk(overtaking, "no such step")
    second = active(timed)
    before = timed.registry_store.load()
    with pytest.raises(PolicyRefused) as error:
        run(timed, ROTATE, {"confirm": first, **secrets(new=NEW_PHRASE, minisign=NEW_PHRASE)})
    assert error.value.code == "KEY-3/overtaken"
    assert timed.registry_store.load() == before
    catalogue.begin(timed, ROTATE, {}).discard()
    assert set(timed.minisign.stray(())) == {first, second}


# --- given up ----------------------------------------------------------------------------------


def test_a_journalled_rotation_that_is_given_up_is_journalled_as_given_up(
    timed: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the entry and the registry: the journal may not be left saying half."""
    old = active(timed)

    def die(_: object) -> None:
        raise Killed

    with monkeypatch.context() as cut:
        cut.setattr(timed.registry_store, "save", die)
        with pytest.raises(Killed):
            rotate(timed)
    assert events(timed)[-1] == "key.rotated"
    catalogue.begin(timed, ROTATE, {}).discard()
    last = timed.journal.entries()[-1]
    assert last.event == "key.rotation-discarded"
    assert last.facts["old"] == old == active(timed)
    assert set(timed.minisign.stray(())) == {old}


def test_giving_up_before_anything_was_made_is_no_entry(timed: Workbench) -> None:
    before = events(timed)
    talk = catalogue.begin(timed, ROTATE, {})
    walk(talk, "passphrase-minisign")
    talk.discard()
    assert events(timed) == before


# --- passphrases in memory -----------------------------------------------------------------------


@pytest.mark.parametrize("right", [True, False])
def test_every_passphrase_is_wiped_whether_it_was_right_or_not(
    timed: Workbench, right: bool
) -> None:
    given = secrets(new=NEW_PHRASE)
    if not right:
        given["minisign"] = Secret(bytearray(b"not this one"))
    answers = {"confirm": active(timed), **given}
    if right:
        run(timed, ROTATE, answers, Silent())
    else:
        with pytest.raises(PolicyRefused, match="passphrase"):
            run(timed, ROTATE, answers, Silent())
        given = {"minisign": given["minisign"]}  # the others were not asked for yet
    for name, secret in given.items():
        assert isinstance(secret, Secret)
        assert secret.is_empty, name


def test_a_wrong_passphrase_of_the_openpgp_key_is_wiped_too(timed: Workbench) -> None:
    given = {**secrets(new=NEW_PHRASE), "gpg": Secret(bytearray(b"not this one"))}
    with pytest.raises(PolicyRefused, match="passphrase"):
        run(timed, ROTATE, {"confirm": active(timed), **given})
    assert isinstance(given["gpg"], Secret)
    assert given["gpg"].is_empty
