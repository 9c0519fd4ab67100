"""What a proof of possession proved, and what it did not: the last page (CUS-2)."""

from collections.abc import Sequence
from typing import Any

from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.page import Line, Mark
from pai_signer.workflows.custody.prove_set import ProvedKey


def proved_lines(proved: Sequence[ProvedKey]) -> tuple[Line, ...]:
    """Each key that signed from the medium."""
    return tuple(
        Line(f"{key.algorithm.shown} {key.id} signed a new challenge", "proved", Mark.OK)
        for key in proved
    )


def not_proved_lines(custodian: str) -> tuple[Line, ...]:
    """What no signature can say; shown with every proof, so that nobody reads more into it."""
    return (
        Line("This shows that this medium, with what was typed, can sign as these keys today."),
        Line(f"who typed: a signature does not say that it was {custodian}", "NOT proved"),
        Line("that nobody else has a copy or has read the passphrases", "NOT proved"),
        Line("any other medium: the other copy in the drawer was not looked at", "NOT proved"),
    )


def medium_data(medium: MediumIdentity) -> dict[str, Any]:
    """The medium for ``--json``."""
    return {
        "uuid": medium.uuid,
        "serial": medium.serial,
        "label": medium.label,
        "known": medium.is_known,
    }


def proof_data(proved: Sequence[ProvedKey]) -> dict[str, Any]:
    """The proofs for ``--json``; what they leave open stands in words there too."""
    return {
        "proved": [
            {
                "algorithm": key.algorithm.value,
                "key": key.id,
                "set": key.set_number,
                "challenge_sha256": key.challenge_sha256,
            }
            for key in proved
        ],
        "proves": "that this medium can sign as these keys",
        "does_not_prove": [
            "who held the medium or typed the passphrases",
            "that nobody else has a copy",
            "anything about any other medium",
        ],
    }
