"""Every ceremony in the life of the keys, on practice keys and one after the other (FACE-5).

Two custodians hold the practice keys, so that the release is signed without a waiver of custody.
After each ceremony the keys are published anew, and the practice release, signed by the very
first keys, is verified with what was published: it has to stay good to the end.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.workflows.custody.custody_now import custody_data, custody_lines
from pai_signer.workflows.engine import YES, Answer, Outcome
from pai_signer.workflows.keys.ending_key import MOMENT_FORMAT, REVOKED_KEY
from pai_signer.workflows.keys.rotation import CONFIRMED_DIGITS
from pai_signer.workflows.keys.sign_registry import ALGORITHMS, GPG, MINISIGN, SystemName
from pai_signer.workflows.rehearse import (
    WHY,
    RehearsalPlan,
    as_answers,
    play_entry,
    rehearse,
    throwaway_phrase,
    throwaway_phrases,
    verify_practice,
)
from pai_signer.workflows.rehearse_custody import PracticeCustody
from pai_signer.workflows.script import Speaker
from pai_signer.workflows.workbench import Workbench

#: How much longer than at birth the key lives after the practice extension.
_LONGER: Final = timedelta(days=60)


def rehearse_ceremonies(bench: Workbench, plan: RehearsalPlan, speaker: Speaker) -> Outcome:
    """Rehearse the main job, then every ceremony; the outcome tells a verdict after each."""
    phrases = throwaway_phrases(bench)
    custody = PracticeCustody(bench, plan, speaker)
    released = rehearse(bench, plan, speaker, phrases, lambda: custody.hold(phrases))
    folder = Path(str(released.data["folder"]))
    practice = _Practice(bench, plan, speaker, phrases, custody)
    verdicts = dict(practice.hold_all(folder))
    lines = tuple(Line(text, label=name, mark=Mark.OK) for name, text in verdicts.items())
    pages = (
        *released.pages,
        Page("The practice release after each ceremony", (*lines, *custody_lines(bench))),
    )
    data = {**released.data, "ceremonies": verdicts, "custody": custody_data(bench)}
    return Outcome(pages, data)


@dataclass
class _Practice:
    """Practice keys with the passphrases that open them now."""

    bench: Workbench
    plan: RehearsalPlan
    speaker: Speaker
    phrases: dict[str, bytes]
    custody: PracticeCustody

    def hold_all(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Hold each ceremony; yields its name and the verdict on the release in ``folder``."""
        first_openpgp, its_phrase = self._key(GPG), self.phrases[GPG]
        ceremonies: Mapping[str, Callable[[], None]] = {
            "extend OpenPGP": self._extend,
            "prepare for a compromise": self._drill,
            "minisign compromised": lambda: self._rotate(MINISIGN, "compromised"),
            "rotate minisign": lambda: self._rotate(MINISIGN, "scheduled"),
            "rotate OpenPGP": lambda: self._rotate(GPG, "scheduled"),
            "old OpenPGP key superseded": lambda: self._supersede(first_openpgp, its_phrase),
        }
        for name, hold in ceremonies.items():
            hold()
            self._play("key.publish", {"directory": str(folder / "keys")}, {})
            verified = verify_practice(self.bench, folder, accept_rehearsal=True)
            yield name, str(verified.data["text"])

    def _play(
        self, entry_id: str, arguments: Mapping[str, str], answers: Mapping[str, Answer]
    ) -> None:
        play_entry(self.bench, entry_id, arguments, answers, self.speaker)

    def _extend(self) -> None:
        days = timedelta(days=self.bench.profile.keys.openpgp_validity_days) + _LONGER
        until = good_expiry_day((self.bench.clock.now() + days).date(), AvoidedDays())
        answers = {**as_answers(self.phrases), "clock": YES}
        self._play("key.extend", {"until": until.isoformat()}, answers)

    def _drill(self) -> None:
        self._play("key.drill", {}, {"medium": self.plan.uploads})

    def _rotate(self, system: SystemName, reason: str) -> None:
        old, new = self._key(system), throwaway_phrase(self.bench)
        key = self.bench.registry().find(old)
        answers: dict[str, Answer] = {
            "despite": WHY,
            "why": WHY,
            "trusted-until": f"{key.created_at:{MOMENT_FORMAT}}",
            "endorse": str(sum(old in release.keys for release in self.bench.history().releases)),
            "confirm": old[-CONFIRMED_DIGITS:],
            **as_answers({**self.phrases, "new": new}),
            **(self.custody.of_none() if reason == "compromised" else self.custody.of_new_key()),
        }
        self._play(f"key.rotate.{system}", {"reason": reason}, answers)
        self.phrases[system] = new

    def _supersede(self, key_id: str, phrase: bytes) -> None:
        answers: dict[str, Answer] = {
            "despite": WHY,
            "why": WHY,
            "confirm": key_id,
            **as_answers({**self.phrases, REVOKED_KEY: phrase}),
        }
        self._play("key.revoke", {"id": key_id, "reason": "superseded"}, answers)

    def _key(self, system: SystemName) -> str:
        key = self.bench.registry().signing_key(ALGORITHMS[system])
        if key is None:
            raise RuntimeError(f"there is no active {system} key")
        return key.id
