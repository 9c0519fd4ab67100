"""Sessions of two maintainers in tests, answered as two people would."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pai_signer.domain.ceremony import digest_groups
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.engine import Answer, Outcome
from pai_signer.workflows.workbench import Workbench
from tests.workflows.backups import ANNA, BOB, Drawer, typed
from tests.workflows.bench import PHRASES, Silent, run

#: What Bob types in a session: his own passphrases, under the second person's names.
BOB_SECOND: Final = {"custodian-2": BOB["custodian"], "custodian-2-gpg": BOB["custodian-gpg"]}


def card(bench: Workbench) -> str:
    """The fingerprint on everybody's paper card."""
    key = bench.registry().signing_key(Algorithm.OPENPGP)
    assert key is not None
    return " ".join(digest_groups(key.id))


def answers(bench: Workbench, **others: Answer) -> dict[str, Answer]:
    """All that Anna and Bob answer; keywords replace some (with dashes as underscores)."""
    return {
        "second": "Bob",
        "witness": "Wilma",
        "verdict": "accept",
        "despite": "there is none in a test",
        "first-maintainer": "Anna",
        "fingerprint": card(bench),
        **typed({**PHRASES, **ANNA, **BOB_SECOND}),
        **{name.replace("_", "-"): answer for name, answer in others.items()},
    }


def hold_session(
    held: Drawer,
    given: Mapping[str, Answer] | None = None,
    speaker: Silent | None = None,
    *,
    export: Path | None = None,
) -> Outcome:
    """Play the session of Anna and Bob, with both sticks plugged in."""
    return run(
        held.bench,
        "backup.session",
        answers(held.bench) if given is None else given,
        speaker,
        first=str(held.folder / "anna"),
        second=str(held.folder / "bob"),
        **({"export": str(export)} if export else {}),
    )
