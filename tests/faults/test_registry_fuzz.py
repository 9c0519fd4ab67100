"""A million spoilt registries: none is accepted against the rules, none is a crash (KEY-2).

A few thousand stand in tests/property; here are as many as one pleases, in other ones each
time. ``PAI_FAULTS=all`` runs a million.
"""

import os
import random
import secrets
from concurrent.futures import ProcessPoolExecutor
from time import monotonic
from typing import Final

from tests.registry_fuzz import Tally, try_one

TRIES: Final = 1_000_000 if os.environ.get("PAI_FAULTS") == "all" else 2_000
BATCHES: Final = 20


def batch(seed: int) -> tuple[int, Tally, str]:
    """A part of the run; what failed is told with its seed."""
    chance, tally = random.Random(seed), Tally()
    try:
        for _ in range(TRIES // BATCHES):
            try_one(chance, tally)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is a finding
        return seed, tally, f"seed {seed}, input {tally.tried}: {type(problem).__name__}: {problem}"
    return seed, tally, ""


def test_no_spoilt_registry_is_accepted_or_breaks_the_program() -> None:
    began, seeds = monotonic(), [secrets.randbits(64) for _ in range(BATCHES)]
    with ProcessPoolExecutor(2) as pool:
        done = list(pool.map(batch, seeds))
    tallies = [tally for _, tally, _ in done]
    figures = {
        name: sum(getattr(tally, name) for tally in tallies)
        for name in ("tried", "refused", "unharmed", "lawful")
    }
    print(f"registries: {figures}; {monotonic() - began:.0f} s")
    assert [problem for _, _, problem in done if problem] == []
    assert figures["tried"] == TRIES
    assert figures["lawful"] > 0
