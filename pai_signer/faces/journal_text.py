"""Journal entries as lines for reading, shared by both faces."""

from typing import Any, Final

from pai_signer.domain.journal import JournalEntry
from pai_signer.faces.desk import JournalLine

#: Facts that name what an entry is about, in the order in which they are shown.
_SUBJECTS: Final = (
    *("title", "version", "visit", "folder", "destination", "directory", "source", "project"),
    "custodian",
    *("algorithm", "old", "new", "key", "until", "reason", "why"),
)


def journal_line(entry: JournalEntry) -> JournalLine:
    """One entry in one line, with the command that would do the same."""
    facts = entry.facts
    parts = [_key_text(facts[name]) for name in _SUBJECTS if facts.get(name)]
    parts += [_key_text(key) for key in facts.get("keys", ()) if entry.event.startswith("key.")]
    waived = [c for c in facts.get("checks", ()) if c.get("result") == "waived"]
    parts += [f"{c['id']} waived: {c['reason']}" for c in waived]
    return JournalLine(
        number=entry.n,
        time=entry.at,
        event=entry.event,
        text=", ".join(parts),
        command=str(facts.get("command", "")),
    )


def _key_text(key: Any) -> str:
    return f"{key['algorithm']} {key['id']}" if isinstance(key, dict) else str(key)
