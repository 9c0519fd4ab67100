"""What every command shares: where the vault is, how to print, how to end."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from pai_signer.composition import default_vault, harden_process, open_workbench
from pai_signer.domain.page import Page
from pai_signer.errors import EXIT_DONE, SignerError
from pai_signer.faces import wording
from pai_signer.faces.cli.prompts import Prompts
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Conversation, Outcome
from pai_signer.workflows.script import play
from pai_signer.workflows.workbench import Workbench


@dataclass
class CommandSession:
    """One run of the command line."""

    vault: Path
    json: bool
    prompts: Prompts = field(init=False)

    def __post_init__(self) -> None:
        self.prompts = Prompts(sys.stderr if self.json else sys.stdout)

    @contextmanager
    def workbench(self) -> Iterator[Workbench]:
        """Open the vault; says what a crash had left and how it was settled."""
        with open_workbench(self.vault) as (bench, notes):
            self.prompts.is_rehearsal = bench.info.rehearsal
            for note in notes:
                self.prompts.say(note)
            yield bench

    def run(
        self, entry_id: str, arguments: Mapping[str, str], answers: Mapping[str, Answer]
    ) -> None:
        """Play one entry of the catalogue to its end and print its outcome."""
        with self.workbench() as bench:
            given = {name: value for name, value in arguments.items() if value}
            self.play(catalogue.begin(bench, entry_id, given), answers)

    def play(self, conversation: Conversation[Any], answers: Mapping[str, Answer]) -> None:
        """Play any conversation to its end and print its outcome."""
        self.finish(play(conversation, answers, self.prompts))

    def finish(self, outcome: Outcome) -> None:
        """Print an outcome, then raise what it refuses, if it does."""
        self.print(outcome.pages, outcome.data if outcome.refusal is None else None)
        if outcome.refusal is not None:
            raise outcome.refusal

    def print(self, pages: tuple[Page, ...], data: Mapping[str, Any] | None) -> None:
        """Pages for people; with ``--json`` one object on standard output instead."""
        if not self.json:
            for page in pages:
                self.prompts.page(page)
        elif data is not None:
            print_json({**data, "exit_code": EXIT_DONE})


def begin_session(vault: Path | None, as_json: bool) -> CommandSession:
    """Close the process to others (SEC-2) before anything is read; then the session."""
    harden_process()
    return CommandSession(vault or default_vault(), as_json)


def print_json(data: Mapping[str, Any]) -> None:
    """One object, one line, in ASCII: a label may hold what some terminals obey (SEC-3)."""
    sys.stdout.write(_NOT_ASCII.sub(_escaped, msgspec.json.encode(data).decode()) + "\n")
    sys.stdout.flush()


#: JSON itself escapes what stands below the space.
_NOT_ASCII: Final = re.compile(r"[^ -~]")


def _escaped(found: re.Match[str]) -> str:
    r"""``\uXXXX``, twice for what lies beyond the first plane (RFC 8259, 7)."""
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def print_error(error: SignerError, *, json: bool) -> None:
    """An error in all its parts (FACE-4); with ``--json`` as an object too."""
    happened, unchanged, do_next, code = wording.error_facts(error)
    if json:
        facts = {"code": code, "summary": happened, "unchanged": unchanged, "hint": do_next}
        print_json({"error": facts, "exit_code": error.exit_code})
    Prompts(sys.stderr).page(wording.error_page(error))
