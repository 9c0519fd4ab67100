"""What can be lost, in words: what is asked, what it means, what follows (CUS-4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pai_signer.domain.custody import WithdrawalCause

What = Literal["medium", "passphrase", "maintainer"]


@dataclass(frozen=True)
class Case:
    """One wizard. ``harmless`` answers need no question whether others may use it."""

    title: str
    explains: tuple[str, ...]
    whose: str
    which: str
    happened: Mapping[str, str]
    harmless: frozenset[str]
    decides: tuple[str, ...]
    asks: str
    follows: Mapping[str, tuple[str, ...]]
    destroys: tuple[str, ...]
    cause: WithdrawalCause
    #: Where an answer means another cause.
    causes: Mapping[str, WithdrawalCause]


_WEAK_HASHING: Final = (
    "gpg's own hashing of a passphrase is weak: if it was not six or more RANDOM words, say yes."
)
_AGAIN: Final = "Make a new one on a new medium, under new passphrases, and prove it."

CASES: Final[Mapping[What, Case]] = {
    "medium": Case(
        title="A medium is lost or damaged",
        explains=(
            "Until it is replaced it counts for nothing, and signing may be refused (POL-7).",
            "A medium that turns up again is proved anew before it counts.",
        ),
        whose="Whose medium?",
        which="Which medium?",
        happened={
            "lost": "it is lost or stolen: nobody knows who has it",
            "destroyed": "it was destroyed, and somebody saw it",
            "damaged": "it is here, and it cannot be read or repaired",
        },
        harmless=frozenset({"destroyed", "damaged"}),
        decides=(
            "Whoever has the medium needs its passphrases too. Could they be known?",
            "Was the paper kept with it? Did somebody look on? Is one used elsewhere too?",
            _WEAK_HASHING,
        ),
        asks="May somebody have the medium AND know its passphrases?",
        follows={
            "lost": ("Without the passphrases the medium opens nothing.", _AGAIN),
            "destroyed": (_AGAIN,),
            "damaged": (
                "Was it tried with 'backup verify --repair', in another port, another machine?",
                _AGAIN,
            ),
        },
        destroys=("- What is found again one day is destroyed as well.",),
        cause=WithdrawalCause.MEDIUM_LOST,
        causes={"damaged": WithdrawalCause.MEDIUM_DAMAGED},
    ),
    "passphrase": Case(
        title="A passphrase is lost",
        explains=(
            "What it opened cannot be opened any more, by anybody. A passphrase cannot be reset.",
            "The workstation's own keys are not concerned: they have passphrases of their own.",
        ),
        whose="Whose passphrase?",
        which="Of which medium?",
        happened={
            "forgotten": "it is forgotten, or its paper is gone and surely destroyed",
            "known": "its paper is missing, or somebody may have seen it",
        },
        harmless=frozenset({"forgotten"}),
        decides=(
            "Whoever knows the passphrase needs the medium too, or a copy of it.",
            "Was the medium ever out of the custodian's hands since it was made?",
        ),
        asks="May somebody know it AND have had the medium?",
        follows={
            "forgotten": (
                "The set is written anew from this workstation, under new passphrases.",
                "It may go onto the same medium: a new set does not touch the old one.",
            ),
            "known": (
                "The passphrase is burnt: never use it again, for anything.",
                "The set is written anew from this workstation, on a NEW medium.",
            ),
        },
        destroys=("- The old set stays on the medium until that is destroyed: use another one.",),
        cause=WithdrawalCause.PASSPHRASE_LOST,
        causes={},
    ),
    "maintainer": Case(
        title="A maintainer is gone",
        explains=(
            "All of their backups are taken out of the ledger, on whatever medium.",
            "Changing a passphrase here changes nothing on a copy that somebody has already.",
        ),
        whose="Which maintainer?",
        which="",
        happened={
            "returned": "they left, and gave their media back or destroyed them before witnesses",
            "kept": "they left, or cannot be reached, and still have their media",
            "died": "they died, or cannot act any more; where their media are is not sure",
        },
        harmless=frozenset({"returned"}),
        decides=(
            "They, or whoever finds their things, have a whole copy of the keys.",
            "Do medium and passphrases lie in one place? Do you trust who has them?",
            "A key that somebody outside the project can use is compromised, whoever it is.",
        ),
        asks="May somebody outside the project have their medium AND its passphrases?",
        follows={
            "returned": (
                "Nobody else can sign. The keys stay.",
                "Find the next custodian, and make their backup.",
            ),
            "kept": (
                "You rule out that they can be used: the keys stay until the next rotation.",
                "Ask for the media back. Find the next custodian, and make their backup.",
            ),
            "died": (
                "You rule out that they can be used: the keys stay until the next rotation.",
                "Find the next custodian, and make their backup.",
            ),
        },
        destroys=("- Ask for every medium and paper that they had, and destroy those as well.",),
        cause=WithdrawalCause.CUSTODIAN_LEFT,
        causes={},
    ),
}
