"""What holds for the rotation of either key: it is whole, or it did not happen (KEY-3, KEY-4)."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import KeyState
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, PolicyRefused, UsageError
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows.engine import YES, Conversation
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import ShiftedClock, events, keyed_vault, opened, run, secrets
from tests.workflows.dying import FailingPort, Killed, KillingPort, with_port
from tests.workflows.rotating import GPG, MINISIGN, STEPS, Rotating

BOTH: Final = pytest.mark.parametrize("system", [MINISIGN, GPG], ids=str)
#: What is the frame's own is tried with minisign alone: an OpenPGP rotation takes some seconds.
KILLED_AT: Final = [
    *((MINISIGN, step) for step in STEPS),
    (GPG, "rotate"),
]


def ids(value: object) -> str:
    return str(value)


# --- refused, walked back, discarded --------------------------------------------------------------


@BOTH
def test_without_a_key_there_is_nothing_to_rotate(empty: Workbench, system: Rotating) -> None:
    with pytest.raises(PolicyRefused, match=r"no active .* key whose place") as error:
        run(empty, system.entry)
    assert error.value.code == "KEY-3/nothing-to-rotate"


@BOTH
def test_an_expired_openpgp_key_is_extended_before_any_rotation(
    tmp_path: Path, system: Rotating
) -> None:
    """It could not sign the statement: told before anybody is asked for anything."""
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault, clock=ShiftedClock(timedelta(days=401))) as bench:
        before = (bench.registry_store.load(), events(bench), system.in_vault(bench))
        with pytest.raises(PolicyRefused) as error:
            system.rotate(bench)
        assert error.value.code == "POL-6/expired"
        assert "key extend" in error.value.hint
        assert error.value.unchanged
        assert (bench.registry_store.load(), events(bench), system.in_vault(bench)) == before
        assert bench.states.names() == ()


@BOTH
def test_the_menu_says_why_a_rotation_cannot_be_chosen(
    tmp_path: Path, empty: Workbench, system: Rotating
) -> None:
    assert "there is no" in why_not(empty, system)
    vault = keyed_vault(tmp_path / "keyed")
    with opened(vault) as bench:
        assert why_not(bench, system) == ""
    with opened(vault, clock=ShiftedClock(timedelta(days=401))) as bench:
        assert "extend it first" in why_not(bench, system)


def why_not(bench: Workbench, system: Rotating) -> str:
    actions = WorkstationDesk(bench, ExitStack()).actions()
    (reason,) = (a.unavailable_because for a in actions if a.id == system.entry and not a.arguments)
    return reason


def test_an_extended_key_can_be_rotated_after_all(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault"), clock=ShiftedClock(timedelta(days=401))) as bench:
        run(bench, "key.extend", {"clock": YES, **secrets()})
        old = MINISIGN.active(bench)
        compared = f"{bench.clock.now():%Y-%m-%d %H:%M}"
        data = MINISIGN.rotate(bench, **{"clock-first": compared})
        assert data["new"] == MINISIGN.active(bench) != old


@BOTH
def test_a_clock_years_ahead_that_nobody_compared_makes_no_key(
    tmp_path: Path, system: Rotating
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault, clock=ShiftedClock(timedelta(days=300))) as bench:
        before = system.in_vault(bench)
        with_less = with_port(bench, "profile", _impatient(bench))
        with pytest.raises(PolicyRefused) as error:
            system.rotate(with_less)
        assert error.value.code == "POL-8/clock"
        assert system.in_vault(bench) == before


def _impatient(bench: Workbench) -> Profile:
    """The profile, but that the clock may jump by less than a key lives."""
    clock = msgspec.structs.replace(bench.profile.clock, longest_jump_days=100)
    return msgspec.structs.replace(bench.profile, clock=clock)


@BOTH
def test_a_wrong_passphrase_makes_no_key_and_is_asked_again(
    keyed: Workbench, system: Rotating
) -> None:
    before = system.in_vault(keyed)
    for name in ("minisign", "gpg"):
        wrong = Secret(bytearray(b"not this one"))
        with pytest.raises(PolicyRefused, match="passphrase") as error:
            system.rotate(keyed, **{name: wrong})
        assert error.value.code == "KEY-1/wrong-passphrase"
        assert not any(wrong.reveal())
        assert name not in keyed.session
        talk = system.walk(keyed, f"passphrase-{name}")
        assert talk.step is not None
        assert talk.step.id == f"passphrase-{name}"
    assert system.in_vault(keyed) == before


def test_who_does_not_confirm_changes_nothing(keyed: Workbench) -> None:
    system = MINISIGN
    before = (system.active(keyed), keyed.registry_store.load(), events(keyed))
    with pytest.raises(UsageError, match="not confirmed"):
        run(keyed, system.entry, secrets(new=b"weak new phrase"))
    with pytest.raises(UsageError, match="does not answer"):
        system.rotate(keyed, confirm=system.confirmation(keyed)[:-1])
    assert (system.active(keyed), keyed.registry_store.load(), events(keyed)) == before
    assert keyed.ceremonies.names() == ()


@pytest.mark.parametrize(
    ("system", "at"),
    [
        *((MINISIGN, at) for at in ("generate", "prove", "compare", "rotate")),
        (GPG, "rotate"),
    ],
    ids=ids,
)
def test_discarding_removes_the_unregistered_key_and_nothing_else(
    keyed: Workbench, public: Path, system: Rotating, at: str
) -> None:
    before = (system.in_vault(keyed), keyed.registry_store.load())
    system.walk(keyed, at).discard()
    assert (system.in_vault(keyed), keyed.registry_store.load()) == before
    assert keyed.ceremonies.names() == ()
    run(keyed, "key.publish", directory=str(public))
    assert list(public.glob("transition-*")) == []


def test_discarding_after_the_point_of_no_return_keeps_key_and_statement(
    keyed: Workbench, public: Path
) -> None:
    system = MINISIGN
    talk = system.walk(keyed, "transcript")
    new = system.active(keyed)
    assert not talk.can_go_back
    talk.discard()
    assert system.active(keyed) == new
    assert new in system.in_vault(keyed)
    run(keyed, "key.publish", directory=str(public))
    assert len(list(public.glob("transition-*.txt"))) == 1
    [ceremony] = keyed.ceremonies.names()
    transcript = keyed.ceremonies.load(ceremony)["transcript.txt"].decode()
    assert "given up behind its point of no return" in transcript
    assert keyed.journal.entries()[-2].event == "ceremony.ended"


@BOTH
def test_walking_back_over_the_new_key_makes_no_second_one(
    keyed: Workbench, system: Rotating
) -> None:
    talk = system.walk(keyed, "compare")
    made = system.in_vault(keyed)
    while talk.can_go_back:
        talk.back()
    new = system.rotate(keyed)["new"]
    assert system.in_vault(keyed) == made
    assert new in made


@BOTH
def test_a_rehearsal_rotates_rehearsal_keys(tmp_path: Path, public: Path, system: Rotating) -> None:
    with opened(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        data = system.rotate(bench)
        new = bench.registry().find(data["new"])
        assert new.state is KeyState.REHEARSAL
        assert not new.user_id or new.user_id.startswith("REHEARSAL ")
        assert "REHEARSAL" in data["texts"]["release-note.md"]
        run(bench, "key.publish", directory=str(public))
        assert b"REHEARSAL" in (public / data["statement"]).read_bytes()


# --- killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "at"), KILLED_AT, ids=ids)
def test_killed_before_a_step_it_goes_on_there_and_asks_for_the_secrets_again(
    tmp_path: Path, system: Rotating, at: str
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        old = system.active(bench)
        system.walk(bench, at)
        made = system.in_vault(bench) - {old}
    with opened(vault) as bench:  # as another process would
        talk = system.begin(bench)
        assert talk.resumed is (at != "begin")
        assert step_of(talk) == (at if _needs_no_secret(at) else "passphrase-minisign")
        new = system.rotate(bench)["new"]
        assert system.in_vault(bench) == {old, new}
        assert made <= {new}
        assert events(bench).count("key.rotated") == 1
        assert len(bench.ceremonies.names()) == 1


def step_of(talk: Conversation[Any]) -> str:
    assert talk.step is not None
    return talk.step.id


def _needs_no_secret(at: str) -> bool:
    first, last = STEPS.index("passphrase-minisign"), STEPS.index("rotate")
    return not first < STEPS.index(at) <= last


MOMENTS: Final = {
    "statement stored": ("ceremonies", "save"),
    "journalled": ("journal", "append"),
    "registered": ("registry_store", "save"),
}


@pytest.mark.parametrize(
    ("system", "moment"),
    [
        *((MINISIGN, moment) for moment in ("generated", *MOMENTS)),
        *((GPG, moment) for moment in ("generated", "registered")),
    ],
    ids=ids,
)
def test_killed_between_the_work_and_its_saved_state_nothing_is_done_twice(
    tmp_path: Path, public: Path, system: Rotating, moment: str
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    port, method = MOMENTS.get(moment, (system.port, "generate"))
    with opened(vault) as bench:
        old = system.active(bench)
        killing = KillingPort(getattr(bench, port), method)
        with pytest.raises(Killed):
            system.rotate(with_port(bench, port, killing))
        made = system.in_vault(bench) - {old}
        assert len(made) == 1
    with opened(vault) as bench:
        data = system.rotate(bench)
        assert {data["new"]} == made
        assert system.in_vault(bench) == {old, data["new"]}
        assert len(bench.registry().of(system.algorithm)) == 2
        run(bench, "key.publish", directory=str(public))
        assert (public / data["statement"]).exists()


@BOTH
def test_after_a_crash_only_the_new_keys_own_passphrase_goes_on(
    tmp_path: Path, system: Rotating
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        killing = KillingPort(getattr(bench, system.port), "generate")
        with pytest.raises(Killed):
            system.rotate(with_port(bench, system.port, killing))
        both = system.in_vault(bench)
    with opened(vault) as bench:
        with pytest.raises(PolicyRefused, match="passphrase"):
            system.rotate(bench, new=Secret(bytearray(b"another new one")))
        assert system.in_vault(bench) == both
        assert system.rotate(bench)["new"] in both
        assert system.in_vault(bench) == both


@BOTH
def test_a_discarded_crash_leaves_no_key_and_spares_those_it_did_not_make(
    tmp_path: Path, system: Rotating
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        system.make_stray(bench)
        before = system.in_vault(bench)
        assert len(before) == 2
        killing = KillingPort(getattr(bench, system.port), "generate")
        with pytest.raises(Killed):
            system.rotate(with_port(bench, system.port, killing))
        assert len(system.in_vault(bench)) == 3
        system.begin(bench).discard()
        assert system.in_vault(bench) == before


def test_killed_at_its_very_end_it_rotates_no_second_time(tmp_path: Path) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        MINISIGN.walk(bench, "no such step")
        new = MINISIGN.active(bench)
    with opened(vault) as bench:
        assert run(bench, MINISIGN.entry).data["new"] == new
        assert events(bench).count("key.rotated") == 1


# --- failed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "port", "method"),
    [
        (MINISIGN, "minisign", "generate"),
        (MINISIGN, "ceremonies", "save"),
        (MINISIGN, "registry_store", "save"),
        (GPG, "openpgp", "generate"),
        (GPG, "openpgp_life", "cross_certify"),
    ],
    ids=ids,
)
def test_a_failure_leaves_the_old_key_in_use_and_the_work_can_go_on(
    keyed: Workbench, system: Rotating, port: str, method: str
) -> None:
    old, registered = system.active(keyed), keyed.registry_store.load()
    broken = with_port(keyed, port, FailingPort(getattr(keyed, port), method))
    with pytest.raises(CannotTell) as caught:
        system.rotate(broken)
    assert caught.value.unchanged is not None
    assert "old key is still the one that signs" in caught.value.unchanged
    assert keyed.registry_store.load() == registered
    assert "new" not in keyed.session
    assert system.rotate(keyed)["new"] == system.active(keyed) != old
    assert len(system.in_vault(keyed)) == 2
