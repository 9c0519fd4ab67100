"""What can be looked at: keys and releases; these workflows only have an outcome (FACE-1)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import text_name
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.release_index import DEPRECATED
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import (
    Answer,
    Choice,
    Option,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.keys.compromise_papers import duties_left
from pai_signer.workflows.workbench import Workbench

_STATE_MARKS = {
    KeyState.ACTIVE: Mark.OK,
    KeyState.RETIRED: Mark.NONE,
    KeyState.COMPROMISED: Mark.FAIL,
    KeyState.REHEARSAL: Mark.WARN,
}


class ShowState(Record, frozen=True, kw_only=True):
    """Which one is looked at, where there is a choice."""

    chosen: str = ""


def showing(
    name: str, title: str, look: Callable[[str], Outcome], *choosing: "Choose", chosen: str = ""
) -> Workflow[ShowState]:
    """A workflow that only looks at what was ``chosen``, or will be."""
    return Workflow(
        name=name,
        key=chosen,
        title=title,
        start=ShowState(chosen=chosen),
        steps=choosing,
        outcome=lambda state: look(state.chosen),
    )


class Choose(Step[ShowState]):
    """Pick one, where none was named."""

    id = "choose"
    title = "Choose"
    unchanged = "Nothing was changed."

    def __init__(self, prompt: str, options: Callable[[], Iterable[Option]]) -> None:
        self._prompt = prompt
        self._options = options

    def done(self, state: ShowState) -> bool:
        return bool(state.chosen)

    def question(self, state: ShowState) -> Question:
        return Choice("choose", self._prompt, options=tuple(self._options()))

    def act(self, state: ShowState, answer: Answer, progress: Progress) -> ShowState:
        return msgspec.structs.replace(state, chosen=str(answer))


# --- keys -------------------------------------------------------------------------------


def show_keys(bench: Workbench) -> Workflow[ShowState]:
    """Every key of the registry; nothing can be changed here."""
    return showing("show-keys", "Keys", lambda _chosen: _keys(bench))


def _keys(bench: Workbench) -> Outcome:
    registry = bench.registry()
    data = {"serial": registry.serial, "keys": [_key_facts(bench, key) for key in registry.keys]}
    return Outcome(keys_pages(bench), data)


def keys_pages(bench: Workbench) -> tuple[Page, ...]:
    """Every key with its state and dates."""
    registry = bench.registry()
    lines: list[Line] = []
    for key in registry.keys:
        until = f", until {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
        text = f"{_shown_state(key)}, since {key.created_at:%Y-%m-%d}{until}"
        lines += [Line(text, label=key.algorithm.value, mark=_STATE_MARKS[key.state])]
        lines += [Line(_shown_id(key))]
        lines += [
            Line(duty, label="left to do", mark=Mark.FAIL) for duty in duties_left(bench, key)
        ]
    title = f"The registry, serial {registry.serial}"
    return (Page(title, tuple(lines) or (Line("no key yet"),)),)


def show_key(bench: Workbench, key_id: str = "") -> Workflow[ShowState]:
    """One key in full; asks which if it is not given."""

    def options() -> Iterator[Option]:
        for key in bench.registry().keys:
            yield Option(key.id, f"{key.algorithm.value} {key.id} {key.state.value}")

    choose = Choose("Which key?", options)
    return showing("show-key", "Key", lambda chosen: _key(bench, chosen), choose, chosen=key_id)


def _key(bench: Workbench, key_id: str) -> Outcome:
    key = bench.registry().find(key_id)
    lines = (
        Line(_shown_id(key), label="ID"),
        Line(_shown_state(key), label="state", mark=_STATE_MARKS[key.state]),
        *_story(bench, key),
        Line(key.user_id or "none", label="name"),
        Line(f"{key.created_at:%Y-%m-%d}", label="since"),
        Line(f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never", label="expires"),
        *_custody(bench, key),
        *_public_key(key),
    )
    return Outcome((Page(f"{key.algorithm.value} key", lines),), _key_facts(bench, key))


def _public_key(key: RegisteredKey) -> Iterator[Line]:
    first, *others = key.public_key.splitlines()
    yield Line(first, label="public key")
    yield from (Line(line) for line in others)


def _shown_id(key: RegisteredKey) -> str:
    return grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id


def _shown_state(key: RegisteredKey) -> str:
    """The state; of a practice key the one that it plays as well."""
    if key.state is KeyState.REHEARSAL and not key.can_sign:
        return f"{key.state.value}, plays {key.life.value}"
    return key.state.value


def _story(bench: Workbench, key: RegisteredKey) -> Iterator[Line]:
    """How it came into its state, and what is left to do of a compromise (KEY-5)."""
    if key.state_since is not None:
        yield Line(f"{key.state_since:%Y-%m-%d %H:%M} UTC, {key.reason}", label="in it since")
    if key.do_not_trust_after is not None:
        yield Line(f"{key.do_not_trust_after:%Y-%m-%d %H:%M} UTC", label="ours until")
        yield Line(endorsement_name(key.id), label="stays good")
    if key.superseded_by is not None:
        yield Line(key.superseded_by, label="new key")
    for duty in duties_left(bench, key):
        yield Line(duty, label="left to do", mark=Mark.FAIL)


def _custody(bench: Workbench, key: RegisteredKey) -> Iterator[Line]:
    """How well its backups are proved (POL-7)."""
    if not key.can_sign:
        return
    status = bench.ledger().custody_of(key.id, bench.profile.custody, bench.clock.now())
    yield Line(status.text, label="custody", mark=Mark.OK if status.is_enough else Mark.FAIL)


def _key_facts(bench: Workbench, key: RegisteredKey) -> dict[str, Any]:
    def shown(moment: datetime | None) -> str | None:
        return moment.isoformat() if moment else None

    return {
        "algorithm": key.algorithm.value,
        "id": key.id,
        "state": key.state.value,
        "user_id": key.user_id,
        "created_at": key.created_at.isoformat(),
        "expires_at": shown(key.expires_at),
        "state_since": shown(key.state_since),
        "reason": key.reason,
        "do_not_trust_after": shown(key.do_not_trust_after),
        "superseded_by": key.superseded_by,
        "left_to_do": list(duties_left(bench, key)),
        "public_key": key.public_key,
    }


# --- releases ---------------------------------------------------------------------------


_STAGES = ("manifest", "tag", "exported", "confirmed", "differs")


def list_releases(bench: Workbench) -> Workflow[ShowState]:
    """Every version that was imported or signed."""
    return showing("list-releases", "Releases", lambda _chosen: releases_outcome(bench))


def releases_outcome(bench: Workbench) -> Outcome:
    """How far each version came, on one page, and the same as data."""
    history = bench.history()
    versions = {*bench.releases.versions(), *(r.version for r in history.releases)}
    entries = (entry for entry in bench.journal.entries() if entry.event == DEPRECATED)
    replacements = {
        str(entry.facts["version"]): str(entry.facts["replacement"]) for entry in entries
    }
    rows = []
    for version in sorted(versions, key=bench.profile.version_of):
        signed = history.find(version)
        rows.append(
            {
                "version": version,
                "manifest": bool(signed and signed.manifest_sha256),
                "tag": bool(signed and signed.tag_oid),
                "exported": bool(signed and signed.exported),
                "confirmed": bool(signed and signed.confirmed_at),
                "differs": bool(signed and signed.differs_at),
                "deprecated": version in replacements,
                "replacement": replacements.get(version),
            }
        )
    lines = tuple(
        Line(
            (", ".join(part for part in _STAGES if row[part]) or "imported, not signed")
            + (f", DEPRECATED: see {row['replacement']}" if row["deprecated"] else ""),
            label=str(row["version"]),
        )
        for row in rows
    )
    return Outcome((Page("Releases", lines or (Line("none yet"),)),), {"releases": rows})


def show_release(bench: Workbench, version: str = "") -> Workflow[ShowState]:
    """The receipts of a release, as they were signed; asks which if it is not given."""

    def options() -> Iterator[Option]:
        for release in reversed(bench.history().releases):
            yield Option(release.version, f"{release.version}, signed {release.first_signed_at}")

    choose = Choose("Whose receipts?", options)
    name = bench.release_name(version) if version else ""
    return showing(
        "show-release", "Receipts", lambda chosen: _release(bench, chosen), choose, chosen=name
    )


def _release(bench: Workbench, version: str) -> Outcome:
    signed = bench.history().find(version)
    if signed is None:
        raise UsageError(
            "EXP-3/no-receipt",
            f"Nothing of {version} is signed.",
            f"Review it: pai-signer release review {version}",
            unchanged="Nothing was changed.",
        )
    staged = bench.releases.staged(version)
    texts = {receipt: staged[text_name(receipt)].decode() for receipt in signed.receipts}
    pages = tuple(
        Page(receipt, tuple(Line(line) for line in text.splitlines()))
        for receipt, text in texts.items()
    )
    data = {
        "version": version,
        "manifest": {file.name: file.sha256 for file in signed.manifest},
        "commit": signed.commit,
        "tag": signed.tag_oid,
        "receipts": list(signed.receipts),
        "files": signed.files,
        "confirmed_at": signed.confirmed_at,
        "differs_at": signed.differs_at,
    }
    published = Page(f"{version} since then", (Line(signed.stage),))
    return Outcome((*pages, published), data)
