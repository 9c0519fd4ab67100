"""Which of two signatures a release ought to have (VER-1)."""

from datetime import datetime, timedelta

import msgspec
import pytest

from pai_signer.domain.registry import Algorithm, KeyState, Registry
from pai_signer.domain.registry_rules import mark_compromised, retire
from pai_signer.workflows.verify.due_signatures import due_and_missing
from pai_signer.workflows.verify.verified import Verified
from tests.registries import BORN, YEAR, registry

LATER = BORN + YEAR


def due(known: Registry, at: datetime | None, version: str = "v0.2.0") -> tuple[str, ...]:
    """What is due where only minisign's signature is there."""
    signers = {"SHA256SUMS": tuple(key.id for key in known.of(Algorithm.MINISIGN))}
    verified = Verified(
        (), version, ("x",), missing_systems=("OpenPGP",), signers_of=signers, signed_at=at
    )
    return due_and_missing(known, verified)


def openpgp_id(known: Registry) -> str:
    return known.of(Algorithm.OPENPGP)[0].id


@pytest.mark.parametrize("at", [LATER, None])
def test_a_system_that_was_in_use_owes_its_signature(at: datetime | None) -> None:
    assert due(registry(), at) == ("OpenPGP",)


def test_a_key_that_was_retired_since_owes_what_was_signed_before() -> None:
    hour = timedelta(hours=1)
    ended = retire(registry(), openpgp_id(registry()), reason="gone", now=LATER)
    assert due(ended, LATER - hour) == ("OpenPGP",)
    assert due(ended, LATER + hour) == ()


def test_a_project_with_one_system_owes_nothing() -> None:
    one = msgspec.structs.replace(registry(), keys=registry().of(Algorithm.MINISIGN))
    assert due(one, LATER) == due(one, None) == ()


def test_a_key_that_came_later_owes_nothing_of_before() -> None:
    known = registry()
    assert due(known, BORN - YEAR) == ()
    keys = tuple(
        msgspec.structs.replace(key, first_release="v0.3.0")
        if key.algorithm is Algorithm.OPENPGP
        else key
        for key in known.keys
    )
    known = msgspec.structs.replace(known, keys=keys)
    assert due(known, LATER, "v0.2.0") == ()
    assert due(known, LATER, "v0.10.0") == ("OpenPGP",)


def test_a_compromised_key_owes_nothing_for_it_counts_for_nothing() -> None:
    known = registry()
    marked = mark_compromised(
        known, openpgp_id(known), reason="stolen", now=LATER, do_not_trust_after=BORN
    )
    assert {key.state for key in marked.of(Algorithm.OPENPGP)} == {KeyState.COMPROMISED}
    assert due(marked, LATER) == ()
