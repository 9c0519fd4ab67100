"""Every sentence and number form that both faces share.

Nothing here is sanitised yet: ``rows.Layout`` does that for all of it.
"""

import re
from typing import Final

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import ProgressBar, ProgressSnapshot
from pai_signer.errors import Cancelled, SignerError
from pai_signer.faces.rows import Layout, Row, cells, cut
from pai_signer.ports import Medium
from pai_signer.workflows.engine import Actor

MIN_COLUMNS: Final = 80
MIN_ROWS: Final = 24
REHEARSAL: Final = "REHEARSAL"
NO_WAY_BACK: Final = "After this step there is no way back."
END_OF_PAGE: Final = "This is the end of the page: Enter shows what is asked."
MORE_ABOVE: Final = "PgUp shows the rows above."
NOTED: Final = "Noted: it stands in the transcript."
HOME: Final = "Home"
ONE_MOMENT: Final = "One moment…"
#: Around the words of an offered passphrase (KEY-1).
WRITE_THESE: Final = "Write these words on paper now; they are shown once and stored nowhere:"
OR_YOUR_OWN: Final = "Type them with single spaces, or words of your own, rolled with dice."
BAR_CELLS: Final = 24
_BYTES_TOTAL: Final = "all so far"
_POSITION: Final = re.compile(r"[0-9]+/[0-9]+")
_RATED_BYTES: Final = 1_000_000


# --- numbers ----------------------------------------------------------------------------


def bytes_text(count: int) -> str:
    """An exact size: ``8,946,360,320 bytes``."""
    return f"{count:,} bytes" if count != 1 else "1 byte"


def size_text(count: float) -> str:
    """A size at a glance, in powers of ten as media are sold: ``8.9 GB``."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def rate_text(bytes_per_s: float) -> str:
    """Speed: ``412.0 MB/s``."""
    return f"{size_text(bytes_per_s)}/s"


def duration_text(seconds: float) -> str:
    """``0:42`` or ``1:02:03``; always rounded up, so that it never promises too much."""
    whole = -int(-seconds // 1)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


# --- title row --------------------------------------------------------------------------


def title_row(left: str, right: str, width: int) -> str:
    """Step at the left, state at the right, both already sanitised.

    The left is cut when both don't fit: REHEARSAL and the air gap are never lost, nor is which
    step of how many this is.
    """
    right = cut(right, width)
    left = _cut_before_position(left, max(width - cells(right) - 2, 0))
    return left + " " * (width - cells(left) - cells(right)) + right


def _cut_before_position(left: str, width: int) -> str:
    named, _, position = left.rpartition(" ")
    room = width - cells(position) - 1
    if cells(left) <= width or room < 1 or _POSITION.fullmatch(position) is None:
        return cut(left, width)
    return f"{cut(named, room)} {position}"


def state_of_play(air_gap: str, time: str, *, is_rehearsal: bool) -> str:
    """The right half of the title row: ``REHEARSAL · OFFLINE · 23 Nov 2026 18:41 UTC``."""
    return " · ".join(part for part in (REHEARSAL if is_rehearsal else "", air_gap, time) if part)


def step_title(workflow: str, step: str, position: tuple[int, int]) -> str:
    """The left half of the title row: ``Release v0.2.0 · Review 2/6``."""
    number, count = position
    return f"{workflow} · {step} {number}/{count}"


def who_acts(actor: Actor) -> str:
    """A note where somebody other than the maintainer has to act."""
    return "" if actor is Actor.MAINTAINER else f"The {actor.value} acts now."


def rows_note(first: int, last: int, count: int) -> str:
    """Where the reader stands in a page that is longer than the screen."""
    return f"Rows {first} to {last} of {count}: more below." if last < count else ""


def page_note(number: int, count: int) -> str:
    """``page 2 of 6``; nothing where there is only one."""
    return f"page {number} of {count}" if count > 1 else ""


def half_typed(number: int) -> str:
    """Where a typed digit may be a number already, or the start of one."""
    return f"{number}: Enter picks this line, or type the next digit."


def working(elapsed_s: float, *, can_cancel: bool) -> str:
    """That work goes on, since when, and whether it can be stopped (FACE-3)."""
    end = "." if can_cancel else ": this step has to finish."
    return f"Working… for {duration_text(elapsed_s)}{end}"


# --- errors (FACE-4) --------------------------------------------------------------------


def error_page(error: SignerError) -> Page:
    """What happened, what is unchanged, what to do next, and the code."""
    happened, unchanged, do_next, code = error_facts(error)
    return Page(
        "Stopped, as you asked" if isinstance(error, Cancelled) else "This did not work",
        (
            Line(happened, label="What happened"),
            Line(),
            Line(unchanged, label="Unchanged"),
            Line(),
            Line(do_next, label="What to do next"),
            Line(),
            Line(code, label="Code"),
        ),
    )


def error_facts(error: SignerError) -> tuple[str, str, str, str]:
    """Summary, what is unchanged, hint and code, for an error in either face."""
    return (
        error.summary,
        error.unchanged or "No later step was started.",
        error.hint,
        error.code,
    )


def crash_text(kind: str, place: str) -> str:
    """For a bug: the kind of exception and the place in the code, never a value (SEC-2)."""
    return (
        "What happened:   the program stopped on an error of its own,\n"
        f"                 {kind} at {place}\n"
        "Unchanged:       finished steps are saved; the step that was running\n"
        "                 is asked again\n"
        "What to do next: start pai-signer again; Home offers the unfinished work;\n"
        "                 report the code and the line above\n"
        "Code:            SEC-2/crash\n"
    )


# --- media ------------------------------------------------------------------------------


def media_page(media: tuple[Medium, ...]) -> Page:
    """The removable media that are plugged in, for Home."""
    if not media:
        return Page("Media", (Line("nothing is plugged in"),))
    return Page("Media", tuple(Line(medium_text(m), label=m.device) for m in media))


def medium_text(medium: Medium) -> str:
    """One medium in one line: label, filesystem, size, serial, and what hinders."""
    facts = [
        medium.label or "no label",
        medium.filesystem or "no filesystem",
        size_text(medium.size_bytes),
        f"serial {medium.serial}" if medium.serial else "no serial",
    ]
    if medium.read_only:
        facts.append("read-only")
    if medium.mounted_at is None:
        facts.append("not mounted")
    return ", ".join(facts)


# --- progress (FACE-3) ------------------------------------------------------------------


def progress_rows(snapshot: ProgressSnapshot, elapsed_s: float, layout: Layout) -> tuple[Row, ...]:
    """One bar per artifact and a total, then the lines of what was just done."""
    rows: list[Row] = []
    *before, newest = snapshot.bars or (None,)
    for bar in before:
        if bar is not None:
            rows.extend(layout.lines((_finished(bar),)))
    if newest is not None:
        rows.extend(_bar_rows(newest, layout))
        rows.append(Row(""))
        rows.extend(layout.text(_total_text(snapshot.bars, elapsed_s)))
    if rows and snapshot.lines:
        rows.append(Row(""))
    rows.extend(layout.lines(snapshot.lines))
    return tuple(rows)


def _finished(bar: ProgressBar) -> Line:
    return Line(f"{bar.label}  {bytes_text(bar.done_bytes)}", mark=Mark.OK)


def _bar_rows(bar: ProgressBar, layout: Layout) -> tuple[Row, ...]:
    if bar.total_bytes <= 0:
        return layout.text(f"{bar.label}  {bytes_text(bar.done_bytes)}")
    if bar.done_bytes >= bar.total_bytes:
        return layout.lines((_finished(bar),))
    part = bar.done_bytes / bar.total_bytes
    full = int(part * BAR_CELLS)
    return (
        *layout.text(bar.label),
        *layout.text(
            "█" * full
            + "░" * (BAR_CELLS - full)
            + f" {int(part * 100):3} %  {bar.done_bytes:,} of {bytes_text(bar.total_bytes)}"
        ),
    )


def _total_text(bars: tuple[ProgressBar, ...], elapsed_s: float) -> str:
    done = sum(bar.done_bytes for bar in bars)
    total = sum(max(bar.total_bytes, bar.done_bytes) for bar in bars)
    text = f"{_BYTES_TOTAL}: {done:,} of {bytes_text(total)}"
    # A rate from less than a second's work says nothing, nor does one of a few kilobytes: keys and
    # a medium's own pace take the time then.
    if elapsed_s < 1 or not done or total < _RATED_BYTES:
        return text
    rate = done / elapsed_s
    return f"{text}, {rate_text(rate)}, {duration_text((total - done) / rate)} left"
