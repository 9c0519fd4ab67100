"""kill -9 at any moment of a key rotation: one new key in the end, or none yet (KEY-3, KEY-4).

A sample by default. With ``PAI_FAULTS=all`` (``make fault-test``) at ``POINTS`` moments, spread
over every call that changes the vault and every start of another program, which is where gpg
has just finished something.
"""

import functools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pytest

from pai_signer.composition import open_workbench
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.keys.transition_statement import published_statements
from pai_signer.workflows.verify.verify_registry import verify_registry
from tests import workstation
from tests.faults.strace import STARTING, Call, record, spread, strike
from tests.faults.test_kill import ALL, KILLED, contents, ends, killed_at_each, leftovers
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.workstation import Workstation

System = Literal["minisign", "gpg"]

SAMPLE: Final = {"minisign": 3, "gpg": 2}
POINTS: Final = {"minisign": 150, "gpg": 110}
MEMORY: Final = Path("/dev/shm")
SECRETS: Final = "private-keys-v1.d"
ALGORITHMS: Final = {"minisign": Algorithm.MINISIGN, "gpg": Algorithm.OPENPGP}


@dataclass(frozen=True)
class Standing:
    """How a vault stands: what is registered, what lies in it, what would be published."""

    registered: tuple[str, ...]
    in_vault: frozenset[str]
    whole: frozenset[str]
    statements: int
    rotations: int
    is_unfinished: bool


def standing(here: Workstation, system: System) -> Standing:
    """Look, with everything verified: registry, journal and statements raise if they are wrong."""
    with open_workbench(here.vault, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        registry = verify_registry(bench.registry_store.load(), bench.verifiers)
        keys = registry.of(ALGORITHMS[system])
        if system == "minisign":
            found = whole = frozenset(bench.minisign.stray(()))
        else:
            found = frozenset(bench.openpgp.stray(()))
            whole = frozenset(key for key in found if bench.openpgp.is_whole(key))
        statements = published_statements(bench, registry)
        return Standing(
            registered=tuple(key.id for key in keys),
            in_vault=found,
            whole=whole,
            statements=sum(name.endswith(".txt") for name in statements),
            rotations=[entry.event for entry in bench.journal.entries()].count("key.rotated"),
            is_unfinished=any("rotate" in name for name in bench.states.names()),
        )


def survive(system: System, call: Call, base: Path) -> str:
    """Kill a rotation at ``call``; returns how it went on."""
    here = workstation.workstation("keyed", base)
    command = here.rotate(system)
    secrets = contents(here.vault / "keys" / "minisign", here.vault / "keys" / "gnupg" / SECRETS)
    with memory_cleared():
        done = strike(command, call, "signal=KILL")
    if done.returncode != KILLED:
        assert done.returncode == 0, done.stderr
        return "not reached"
    for state in (here.vault / "unfinished").glob("[!.]*"):
        json.loads(state.read_bytes())
    ends(here.verify_journal())

    killed = standing(here, system)
    old, is_over = killed.registered[0], len(killed.registered) == 2
    assert killed.statements == is_over
    assert set(killed.registered) <= killed.whole
    assert len(killed.in_vault) <= 2
    made = killed.whole - {old}
    if is_over and not killed.is_unfinished:
        # The saved state was forgotten: asked for again, it would be another rotation.
        ended = killed
    else:
        ends(command)
        ended = standing(here, system)
    ends(here.verify_journal())
    assert len(ended.registered) == 2
    assert ended.in_vault == ended.whole == set(ended.registered)
    assert made <= ended.whole
    assert ended.statements == 1
    assert not ended.is_unfinished
    # One more entry only where the kill came between the journal and the registry.
    assert 1 <= ended.rotations <= 1 + (killed.rotations and not is_over)
    assert secrets.items() <= contents(here.vault / "keys").items()
    assert len(list((here.vault / "ceremonies").glob("*-rotate-*"))) == 1
    assert leftovers(base) == []
    if is_over:
        return "was complete" if ended is killed else "went on to its end"
    return "took in the key that was made" if made else "begun, no key yet"


@contextmanager
def memory_cleared() -> Iterator[None]:
    """Remove the homes in memory that a killed program leaves; their agents end with them."""
    before = set(MEMORY.glob("pai-*"))
    yield
    for folder in set(MEMORY.glob("pai-*")) - before:
        process = folder.name.split("-")[1]
        if process.isdecimal() and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_a_killed_rotation_ends_with_exactly_one_new_key(system: System, tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    calls = record(here.rotate(system), here.vault, also=(STARTING,))
    assert len(calls) >= POINTS[system]
    points = spread(calls, (POINTS if ALL else SAMPLE)[system])
    outcomes = killed_at_each(f"key rotate {system}", points, functools.partial(survive, system))
    if ALL:  # every stage was struck
        assert set(outcomes) >= {
            "begun, no key yet",
            "took in the key that was made",
            "went on to its end",
            "was complete",
        }
