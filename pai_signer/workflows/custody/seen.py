"""What was found on a backup medium, without any secret: for the state and for people (CUS-2)."""

from collections.abc import Sequence
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import KeyName, Outcome
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import CustodyError, FormatError, MediumError, SignerError, UntrustedKey

#: Which outcome stands for a whole medium: the one that most wants somebody to act.
_WORST_FIRST: Final = (
    Outcome.WRONG_KEY,
    Outcome.DAMAGED,
    Outcome.UNREADABLE,
    Outcome.EMPTY,
    Outcome.OTHER_CUSTODIAN,
    Outcome.STALE,
    Outcome.SUPERSEDED_KEY,
)
_FAMILIES: Final[dict[Outcome, type[SignerError]]] = {
    Outcome.WRONG_KEY: UntrustedKey,
    Outcome.DAMAGED: FormatError,
    Outcome.UNREADABLE: MediumError,
    Outcome.EMPTY: MediumError,
    Outcome.OTHER_CUSTODIAN: CustodyError,
    Outcome.STALE: CustodyError,
    Outcome.SUPERSEDED_KEY: CustodyError,
}
_HINTS: Final = {
    Outcome.WRONG_KEY: "Find out where it comes from. It is no backup of the keys in use: write "
    "a new one (backup create).",
    Outcome.DAMAGED: "Repair it from a copy that is whole, if one is (backup verify --repair), or "
    "write a new backup on another medium.",
    Outcome.UNREADABLE: "Try another port and another reader. If it stays so, write a new backup "
    "on another medium and withdraw this one (backup lost medium).",
    Outcome.EMPTY: "Is it the right medium, and still plugged in? An empty answer is no proof "
    "that the backup is gone: plug it in again first.",
    Outcome.OTHER_CUSTODIAN: "Take the medium of the custodian that was named, or name the one "
    "whose medium this is.",
    Outcome.STALE: "Write a new backup (backup create): restored from here alone, the key would "
    "not work as it does today.",
    Outcome.SUPERSEDED_KEY: "Write a backup of the key that signs now (backup create).",
}


class KeySeen(Record, frozen=True, kw_only=True):
    """One key on the medium: ready to be proved, or what speaks against it already."""

    algorithm: Algorithm
    id: str
    set_number: int
    outcome: Outcome | None = None
    text: str = ""

    @property
    def name(self) -> KeyName:
        """The key alone."""
        return KeyName(algorithm=self.algorithm, id=self.id)


class Seen(Record, frozen=True, kw_only=True):
    """The whole medium. With an ``outcome`` of its own there is nothing on it to prove.

    ``missing`` are active keys that are not on it, ``notes`` what else is to be told, and
    ``repairable`` the numbers of damaged sets that can be made whole from their own copies.
    """

    outcome: Outcome | None = None
    text: str = ""
    keys: tuple[KeySeen, ...] = ()
    missing: tuple[KeyName, ...] = ()
    notes: tuple[str, ...] = ()
    repairable: tuple[int, ...] = ()

    @property
    def ready(self) -> tuple[KeySeen, ...]:
        """The keys that can be proved from here."""
        return tuple(key for key in self.keys if key.outcome is None)

    def is_ready(self, algorithm: Algorithm) -> bool:
        """Whether a passphrase is needed for a key of this system."""
        return any(key.algorithm is algorithm for key in self.ready)


def refusal_of(seen: Seen) -> SignerError | None:
    """The error that the worst of what was seen stands for; None where all can be proved."""
    said = [(seen.outcome, seen.text)] if seen.outcome else []
    said += [(key.outcome, key.text) for key in seen.keys if key.outcome]
    for outcome in _WORST_FIRST:
        texts = [text for found, text in said if found is outcome]
        if texts:
            return _FAMILIES[outcome](
                f"CUS-2/{outcome.value}",
                " ".join(dict.fromkeys(texts)),
                _HINTS[outcome],
                unchanged="The medium and the keys are as they were; the attempt is journalled.",
            )
    return None


def seen_lines(seen: Seen) -> Sequence[Line]:
    """All of it, key by key."""
    lines: list[Line] = []
    if seen.outcome is not None:
        lines.append(Line(seen.text, label=seen.outcome.value, mark=Mark.FAIL))
    for key in seen.keys:
        label = f"set {key.set_number}"
        if key.outcome is None:
            lines.append(Line(f"{key.algorithm.shown} {key.id}", label, Mark.OK))
        else:
            lines.append(Line(f"{key.algorithm.shown} {key.id}: {key.outcome.value}", label))
            lines.append(Line(key.text, mark=Mark.FAIL))
    lines += [
        Line(f"{key.algorithm.shown} {key.id}: not on this medium", mark=Mark.WARN)
        for key in seen.missing
    ]
    lines += [Line(note, mark=Mark.WARN) for note in seen.notes]
    return lines


def seen_page(seen: Seen) -> Page:
    """What lies on the medium, before any secret is asked."""
    title = "All three copies are the same" if not refusal_of(seen) else "Not all is well here"
    return Page(title, tuple(seen_lines(seen)))
