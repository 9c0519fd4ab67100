"""Revoking keys in prepared vaults, two hours after they were made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.engine import Answer
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import PHRASES, ShiftedClock, opened, run, secrets

REVOKE: Final = "key.revoke"
#: "Ours alone until" is said to the minute: the keys have to be older than that.
HOURS_LATER: Final = timedelta(hours=2)


@contextmanager
def opened_later(vault: Path) -> Iterator[Workbench]:
    with opened(vault, clock=ShiftedClock(HOURS_LATER)) as bench:
        yield bench


def active(bench: Workbench, algorithm: Algorithm) -> str:
    """The ID of the key that signs."""
    key = bench.registry().signing_key(algorithm)
    assert key is not None
    return key.id


def minisign(bench: Workbench) -> str:
    return active(bench, Algorithm.MINISIGN)


def openpgp(bench: Workbench) -> str:
    return active(bench, Algorithm.OPENPGP)


def until(bench: Workbench) -> str:
    """An hour ago, as it is typed."""
    return f"{bench.clock.now() - timedelta(hours=1):%Y-%m-%d %H:%M}"


def answers(bench: Workbench, key_id: str, **others: Answer) -> dict[str, Answer]:
    """What flags say to revoke a key as compromised."""
    return {
        "trusted-until": until(bench),
        "why": "laptop stolen",
        "endorse": str(len(bench.history().releases)),
        "confirm": key_id,
        **secrets(revoked=PHRASES["gpg"]),
        **others,
    }


def revoke(
    bench: Workbench, key_id: str, reason: str = "compromised", /, **others: Answer
) -> dict[str, Any]:
    """Play the revocation by flags alone; its outcome's data."""
    certificate = str(others.pop("certificate", ""))
    given = answers(bench, key_id, **others)
    arguments = {"id": key_id, "reason": reason, "certificate": certificate}
    return dict(run(bench, REVOKE, given, **{k: v for k, v in arguments.items() if v}).data)
