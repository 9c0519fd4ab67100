"""Rotations of both systems, played, walked and killed."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Automatic, Conversation
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import run, secrets

NEW_PHRASE: Final = b"weak new phrase"

STEPS: Final = (
    *("begin", "second", "witness", "materials", "preconditions", "clock-first"),
    *("clock-second", "explain", "passphrase-minisign", "passphrase-gpg", "passphrase-new"),
    *("generate", "prove", "compare", "rotate", "transcript"),
)


@dataclass(frozen=True)
class Rotating:
    """The rotation of one system; ``port`` is the workbench's own for its keys."""

    entry: str
    algorithm: Algorithm
    port: str

    def __str__(self) -> str:
        return self.algorithm.value

    def active(self, bench: Workbench) -> str:
        """ID of the key that signs."""
        key = bench.registry().signing_key(self.algorithm)
        assert key is not None
        return key.id

    def confirmation(self, bench: Workbench) -> str:
        """What is typed to confirm that this key ends."""
        return self.active(bench)[-16:]

    def rotate(self, bench: Workbench, **answers: Answer) -> dict[str, Any]:
        """Play the rotation by flags alone; its outcome's data."""
        given = {"confirm": self.confirmation(bench), **secrets(new=NEW_PHRASE), **answers}
        return dict(run(bench, self.entry, given).data)

    def in_vault(self, bench: Workbench) -> set[str]:
        """IDs of the keys that lie in the vault, registered or not."""
        return set(getattr(bench, self.port).stray(()))

    def make_stray(self, bench: Workbench) -> None:
        """Put a key into the vault that no rotation made."""
        phrase = secrets(stray=b"weak stray phrase")["stray"]
        if self.algorithm is Algorithm.MINISIGN:
            bench.minisign.generate(phrase)  # type: ignore[arg-type]
        else:
            year = bench.clock.now().year + 1
            until = bench.clock.now().date().replace(year=year, day=1)
            bench.openpgp.generate("Stray <stray@test.invalid>", until, phrase)  # type: ignore[arg-type]

    def begin(self, bench: Workbench) -> Conversation[Any]:
        """Begin or resume, without playing."""
        return catalogue.begin(bench, self.entry, {})

    def walk(
        self, bench: Workbench, until: str, answers: Mapping[str, Answer] | None = None
    ) -> Conversation[Any]:
        """Begin or resume, and take every step before ``until``."""
        talk = self.begin(bench)
        given = {**secrets(new=NEW_PHRASE), **(answers or {})}
        while (step := talk.step) is not None and step.id != until:
            question = step.question(talk.state)
            default = "" if isinstance(question, Automatic) else question.default or ""
            given["confirm"] = talk.state.old[-16:]
            talk.answer(given.get(question.name, default), Progress())
        return talk


MINISIGN: Final = Rotating("key.rotate.minisign", Algorithm.MINISIGN, "minisign")
GPG: Final = Rotating("key.rotate.gpg", Algorithm.OPENPGP, "openpgp")


def stock(*command: str | Path, cwd: Path | None = None) -> bool:
    """Whether a stock tool, run on its own, ends well."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=60)
    return done.returncode == 0
