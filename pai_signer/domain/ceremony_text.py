"""A ceremony on paper: the script before it, the transcript after it (KEY-1).

Under 80 columns in an ASCII frame, so that any printer and console can show it (FACE-2).
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai_signer.domain.ceremony import (
    MAINTAINER_STATEMENT,
    WITNESS_STATEMENT,
    Comparison,
    Role,
    TakenStep,
    Transcript,
)
from pai_signer.domain.receipt import JournalHead, head_words
from pai_signer.domain.text import safe_text

WIDTH: Final = 78
_RULE: Final = "-" * WIDTH
_NO_RETURN: Final = "=== POINT OF NO RETURN: below this line nothing can be taken back "


@dataclass(frozen=True)
class ScriptStep:
    """One line of the checklist: what ``actor`` does, and blanks to fill in by hand."""

    id: str
    title: str
    actor: Role
    lines: Sequence[str] = ()
    blanks: Sequence[str] = ()
    #: This step is the one that cannot be taken back.
    point_of_no_return: bool = False


@dataclass(frozen=True)
class Script:
    """A ceremony as it is planned."""

    project: str
    title: str
    purpose: str
    roles: Sequence[tuple[Role, str]]
    materials: Sequence[str]
    preconditions: Sequence[str]
    steps: Sequence[ScriptStep]
    rehearsal: bool = False


def render_script(script: Script) -> str:
    """The script to print before the ceremony (``--script``): read it aloud, tick as you go."""
    lines = [
        *_wrapped(f"CEREMONY SCRIPT: {script.project}, {script.title}"),
        *(["REHEARSAL: with throwaway keys."] * script.rehearsal),
        "",
        *_wrapped(script.purpose),
        "",
        "Tick each box when it is done. Nobody ticks for somebody else. Whatever goes",
        "differently: stop, write it under EXCEPTIONS, decide together, then go on.",
        "",
        _blank_line("Place"),
        _blank_line("Date, and time by two clocks (UTC)"),
        "",
        "WHO",
        *(line for role, duty in script.roles for line in _role_lines(role, duty)),
        "",
        "ON THE TABLE",
        *_boxes(script.materials),
        "",
        "BEFORE THE FIRST STEP",
        *_boxes(script.preconditions),
        "",
        "STEPS",
    ]
    for number, step in enumerate(script.steps, 1):
        if step.point_of_no_return:
            lines += ["", _NO_RETURN.ljust(WIDTH, "="), ""]
        lines += _script_step(number, step)
    lines += [
        "",
        "EXCEPTIONS (step; expected; happened; decided; initials of all)",
        *([f"  {'_' * (WIDTH - 2)}"] * 4),
        "",
    ]
    for role, _ in script.roles:
        lines += _to_sign(role)
    return _text(lines)


def render_transcript(t: Transcript) -> str:
    """The transcript for people, to print and sign by hand."""
    lines = [
        *_wrapped(f"CEREMONY TRANSCRIPT: {t.project}, {t.title}"),
        *(["REHEARSAL: with throwaway keys; this proves nothing."] * t.rehearsal),
        "",
        _row("began", _moment(t.began_at)),
        _row("ended", _moment(t.ended_at) if t.ended_at else "NOT ENDED"),
        *_wrapped(t.program, indent=" " * 16, first=_row("program", "")),
        *_head_rows("journal before", t.journal_at_begin),
        *(_head_rows("journal after", t.journal_at_end) if t.journal_at_end else []),
        "",
        "WHO",
        *(line for p in t.participants for line in _wrapped_row(p.role.value, p.name)),
        "",
        "ON THE TABLE",
        *(line for m in t.materials for line in _mark("x" if m.present else " ", m.name)),
        "",
        "BEFORE THE FIRST STEP",
        *(
            line
            for p in t.preconditions
            for line in _mark("x" if p.met else " ", f"{p.name} ({p.how.value}): {p.text}")
        ),
        "",
        "STEPS",
    ]
    for number, step in enumerate(t.steps, 1):
        lines += _taken_step(number, step)
    lines += ["", "RESULT", *(_none(t.results))]
    lines += [line for result in t.results for line in _wrapped_row(result.what, result.text)]
    lines += ["", "COMPARED ALOUD", *(_none(t.comparisons))]
    for comparison in t.comparisons:
        lines += _comparison(comparison)
    lines += ["", "EXCEPTIONS", *(_none(t.exceptions))]
    for noted in t.exceptions:
        where = f"at step {noted.step}" if noted.step else "between two steps"
        lines += [
            *_wrapped(f"{where}, {_moment(noted.at)}", indent="  "),
            *_wrapped_row("expected", noted.expected),
            *_wrapped_row("happened", noted.happened),
            *_wrapped_row("decided", noted.decided),
        ]
    lines += ["", "VERDICT", *_verdict(t)]
    return _text(lines)


# --- the parts ------------------------------------------------------------------------------


def _role_lines(role: Role, duty: str) -> list[str]:
    return [
        f"  {role.value.upper()}: {'_' * (WIDTH - len(role.value) - 4)}",
        *_wrapped(duty, indent="    "),
    ]


def _script_step(number: int, step: ScriptStep) -> list[str]:
    head = f"  [ ] {number:>2}. {step.actor.value.upper()}: "
    rows = _wrapped(step.title, indent="          ", first=head)
    for line in step.lines:
        rows += _wrapped(line, indent="          ")
    rows += [_blank_line(blank, indent="          ") for blank in step.blanks]
    return rows


def _to_sign(role: Role) -> list[str]:
    statement = WITNESS_STATEMENT if role is Role.WITNESS else MAINTAINER_STATEMENT
    rows = [_RULE, f"STATEMENT OF THE {role.value.upper()}", "", *_wrapped(statement), ""]
    if role is Role.WITNESS:
        rows += ["  [ ] I accept      [ ] I DISAGREE, because:", f"  {'_' * (WIDTH - 2)}", ""]
    return [*rows, _blank_line("Name"), "", _blank_line("Signature, date"), ""]


def _taken_step(number: int, step: TakenStep) -> list[str]:
    rows = [_NO_RETURN.ljust(WIDTH, "=")] if step.point_of_no_return else []
    head = f"  {number:>2}. {_moment(step.at)}  {step.actor.value}: "
    rows += _wrapped(step.title, indent="      ", first=head)
    if step.answer:
        colon = "" if step.question.endswith("?") else ":"
        text = f"{step.question}{colon} {step.answer}"
        rows += _wrapped(text, indent="        ", first="      ")
    return rows


def _comparison(comparison: Comparison) -> list[str]:
    who = f"read by {comparison.read_by}, typed by {comparison.typed_by}"
    return [
        *_wrapped(f"{comparison.what}: {who}, {_moment(comparison.at)}", indent="  "),
        *_wrapped(" ".join(comparison.groups), indent="    ", width=4 + 4 * 9),
        *_wrapped(" ".join(comparison.words), indent="    "),
    ]


def _verdict(t: Transcript) -> list[str]:
    if t.verdict is None:
        why = "nobody witnessed it" if t.ended_at else "the ceremony did not reach its end"
        return [f"  none: {why}"]
    said = "ACCEPTS" if t.verdict.accepts else "DISAGREES"
    rows = [
        *_wrapped(f"{t.verdict.witness} {said}, {_moment(t.verdict.at)}", indent="  "),
        *(_wrapped_row("because", t.verdict.reason) if t.verdict.reason else []),
        "",
        *_wrapped(t.verdict.statement, indent="  "),
        "",
    ]
    for participant in t.participants:
        rows += ["", _blank_line(participant.role.value), *_wrapped(participant.name, indent="  ")]
    return rows


def _head_rows(label: str, head: JournalHead) -> list[str]:
    # 64 digits do not fit beside the label.
    return [
        _row(label, f"entry {head.n}"),
        f"    {head.hash}",
        *_wrapped(head_words(head.hash), indent="    "),
    ]


def _boxes(items: Iterable[str]) -> list[str]:
    return [line for item in items for line in _mark(" ", item)]


def _mark(mark: str, text: str) -> list[str]:
    return _wrapped(text, indent="      ", first=f"  [{mark}] ")


def _none(items: Sequence[object]) -> list[str]:
    return [] if items else ["  none"]


def _row(label: str, value: str) -> str:
    return f"{label:<16}{value}"


def _wrapped_row(label: str, value: str) -> list[str]:
    # A label as long as the column still stands apart from its value.
    return _wrapped(value, indent=" " * 20, first=f"  {label:<17} ")


def _blank_line(label: str, *, indent: str = "") -> str:
    return f"{indent}{label} ".ljust(WIDTH, "_")


def _wrapped(
    text: str, *, indent: str = "", first: str | None = None, width: int = WIDTH
) -> list[str]:
    """``text`` made safe and broken into lines; a word longer than a line is cut."""
    rows = textwrap.wrap(
        safe_text(text),
        width,
        initial_indent=safe_text(indent if first is None else first),
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return rows or [safe_text(first or indent).rstrip()]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{safe_text(line).rstrip()}\n" for line in lines)
