"""Custody on practice media: two custodians hold the keys and prove it in a session (FACE-5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pai_signer.domain.ceremony import digest_groups
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.custody.custodian import SOMEBODY_ELSE
from pai_signer.workflows.custody.custodian_passphrases import CUSTODIAN, SECOND
from pai_signer.workflows.engine import Answer
from pai_signer.workflows.keys.rotation_backups import MAKE, SKIP
from pai_signer.workflows.rehearse import (
    WHY,
    RehearsalPlan,
    as_answers,
    play_entry,
    throwaway_phrase,
)
from pai_signer.workflows.script import Speaker
from pai_signer.workflows.workbench import Workbench

PEOPLE: Final = ("First Practice Custodian", "Second Practice Custodian")
_NAMES: Final = (CUSTODIAN, SECOND)


@dataclass
class PracticeCustody:
    """Two custodians, each with a practice medium and passphrases of their own."""

    bench: Workbench
    plan: RehearsalPlan
    speaker: Speaker
    phrases: dict[str, bytes] = field(default_factory=dict)

    def hold(self, own: Mapping[str, bytes]) -> None:
        """Make both backups, then hold the session; ``own`` opens the keys of the vault."""
        self.phrases = {
            name: throwaway_phrase(self.bench) for names in _NAMES for name in names.values()
        }
        for person, device, names in zip(PEOPLE, self.plan.custodians, _NAMES, strict=True):
            theirs = {CUSTODIAN[a]: self.phrases[name] for a, name in names.items()}
            answers = {"medium": device, **as_answers({**own, **theirs})}
            play_entry(self.bench, "backup.create", {"custodian": person}, answers, self.speaker)
        first, second = (self._folder(device) for device in self.plan.custodians)
        answers = {
            "despite": WHY,
            "first-maintainer": PEOPLE[0],
            "second": PEOPLE[1],
            "fingerprint": " ".join(digest_groups(self._fingerprint())),
            "medium-export": self.plan.uploads,
            **as_answers({**own, **self.phrases}),
        }
        media = {"first": first, "second": second}
        play_entry(self.bench, "backup.session", media, answers, self.speaker)

    def of_new_key(self) -> dict[str, Answer]:
        """What both answer in a rotation, in which each takes the new key."""
        fresh = {name: throwaway_phrase(self.bench) for name in self.phrases}
        answers = as_answers(fresh)
        people = zip(PEOPLE, self.plan.custodians, strict=True)
        for number, (person, device) in enumerate(people, 1):
            answers |= {
                f"backup-new-key-{number}": MAKE,
                f"whose-{number}": SOMEBODY_ELSE,
                f"whose-name-{number}": person,
                f"medium-{number}": device,
            }
        return answers

    @staticmethod
    def of_none() -> dict[str, Answer]:
        """In a rotation that is followed by another one at once: it is said why none is made."""
        return {"backup-new-key-1": SKIP, "no-backup": WHY}

    def _folder(self, device: str) -> str:
        (medium,) = (m for m in self.bench.media.list() if m.device == device)
        return str(medium.mounted_at)

    def _fingerprint(self) -> str:
        key = self.bench.registry().signing_key(Algorithm.OPENPGP)
        if key is None:
            raise RuntimeError("there is no active OpenPGP key")
        return key.id
