"""How outcomes and errors are printed: pages for people, one JSON object for machines (FACE-1)."""

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pai_signer.domain.page import Page
from pai_signer.errors import EXIT_DONE, SignerError
from pai_signer.faces import wording
from pai_signer.faces.cli.prompts import Prompts
from pai_signer.workflows.engine import Outcome


def print_outcome(outcome: Outcome, prompts: Prompts, *, json: bool) -> None:
    """Print an outcome, then raise what it refuses, if it does."""
    data = outcome.data if outcome.refusal is None else None
    print_pages(outcome.pages, data, prompts, json=json)
    if outcome.refusal is not None:
        raise outcome.refusal


def print_pages(
    pages: tuple[Page, ...], data: Mapping[str, Any] | None, prompts: Prompts, *, json: bool
) -> None:
    """Pages for people; with ``--json`` one object on standard output instead."""
    if not json:
        for page in pages:
            prompts.page(page)
    elif data is not None:
        print_json({**data, "exit_code": EXIT_DONE})


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
