"""What a person types from their own paper card: no medium can vouch for itself (CUS-2, CUS-4).

Whoever could change a medium could change every fingerprint that stands on it. So the whole
of it is typed, and where it differs nothing is opened.
"""

from datetime import datetime
from typing import Final

from pai_signer.domain.ceremony import Comparison, compare_typed
from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import Question, TypedText

#: The questions, and so the options, by system.
CARD_QUESTIONS: Final = {Algorithm.MINISIGN: "minisign-key", Algorithm.OPENPGP: "fingerprint"}
_WHAT: Final = {
    Algorithm.MINISIGN: "minisign public key",
    Algorithm.OPENPGP: "OpenPGP fingerprint",
}
_FORMS: Final = {
    Algorithm.MINISIGN: "the line that begins with RW, or all groups or words",
    Algorithm.OPENPGP: "all groups or all words",
}


def card_question(algorithm: Algorithm, who: str) -> Question:
    """Ask ``who`` for a key of one system; nothing but a paper card can answer."""
    what, name = _WHAT[algorithm], CARD_QUESTIONS[algorithm]
    return TypedText(
        name,
        f"{who}, type the {what} from your own paper card: {_FORMS[algorithm]}",
        refusal=UsageError(
            "CUS-2/paper-card",
            f"Nobody typed the {what} from a paper card; the medium cannot vouch for itself.",
            f"Give it in full (--{name} TEXT).",
        ),
    )


def compare_with_card(
    key: RegisteredKey, typed: str, *, step: str, at: datetime, read_by: str, typed_by: str
) -> Comparison:
    """Compare what was typed with ``key``; ``DigestMismatch`` if it is another key."""
    digest = key.id
    if key.algorithm is Algorithm.MINISIGN:
        digest = parse_public_key(key.public_key).ed25519.hex()
        if "".join(typed.split()) == key.public_key:  # as it is published
            typed = digest
    return compare_typed(
        _WHAT[key.algorithm], digest, typed, step=step, at=at, read_by=read_by, typed_by=typed_by
    )
