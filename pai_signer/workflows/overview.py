"""What stands where: the state that Home shows, in lines (SCREENS.md)."""

from collections.abc import Iterator
from typing import Final

from pai_signer.domain.host import NEEDED_TOOLS, HostFacts, Installation, Tool
from pai_signer.domain.ledger import custody_text
from pai_signer.domain.minisig import STOCK_LIMITS
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import air_gap_problems
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.reminders import Reminder, Urgency, proof_reminder, reminders
from pai_signer.workflows.engine import Unfinished, unfinished_work
from pai_signer.workflows.keys.birth_revocations import kept_revocations
from pai_signer.workflows.keys.compromise_papers import compromised_keys, duties_left
from pai_signer.workflows.keys.export_revocations import were_exported
from pai_signer.workflows.workbench import Workbench

CUSTODY: Final = "custody"
NO_KEY_YET: Final = "none yet: generate or import one (Ceremonies)"
MIN_COLUMNS: Final = 80
MIN_ROWS: Final = 24

_DUTIES: Final = {Algorithm.MINISIGN: "rotate", Algorithm.OPENPGP: "extend or rotate"}
_MARKS: Final = {
    Urgency.LATER: Mark.OK,
    Urgency.SOON: Mark.WARN,
    Urgency.DUE: Mark.WARN,
    Urgency.OVERDUE: Mark.FAIL,
}


def home_page(bench: Workbench) -> Page:
    """Keys with their state and days left, custody, last release."""
    lines = [*_key_lines(bench), *_release_lines(bench)]
    return Page(f"{bench.profile.project.name} - {bench.info.maintainer_name}", tuple(lines))


def unfinished(bench: Workbench) -> tuple[Unfinished, ...]:
    """Saved runs that can be resumed."""
    return unfinished_work(bench.states)


def _key_lines(bench: Workbench) -> Iterator[Line]:
    registry, found = bench.registry(), _reminders(bench)
    for algorithm in Algorithm:
        label = f"{algorithm.value} key"
        key = registry.signing_key(algorithm)
        if key is None:
            ended = registry.of(algorithm)
            # Of a compromised one the lines below say more.
            text = f"none: {ended[-1].id[-16:]} {ended[-1].life.value}" if ended else NO_KEY_YET
            yield Line(text, label=label, mark=Mark.FAIL if ended else Mark.WARN)
            continue
        state = f"{key.id[-16:]} {key.state.value}"
        reminder = found.get(algorithm)
        if reminder is None:
            yield Line(f"{state}, never expires", label=label, mark=Mark.OK)
            continue
        what = f"{_DUTIES[algorithm]} {_when(reminder)}"
        yield Line(f"{state}, {what}", label=label, mark=_MARKS[reminder.urgency])
        if reminder.urgency is not Urgency.LATER:
            yield Line(reminder.text, label="due")
    signing = registry.signing_key(Algorithm.OPENPGP)
    for fingerprint, _ in kept_revocations(bench):
        if signing and signing.id == fingerprint and not were_exported(bench, fingerprint):
            text = "made, not carried out yet (Keys)"
            yield Line(text, label="revocations", mark=Mark.WARN)
    yield from _compromise_lines(bench)
    yield from _custody_lines(bench)


def _custody_lines(bench: Workbench) -> Iterator[Line]:
    """How well the backups are proved, and by when they want to be again (POL-7)."""
    registry, profile, now = bench.registry(), bench.profile, bench.clock.now()
    ledger = bench.ledger()
    custody = ledger.custody(registry, profile.custody, now)
    if not custody:
        yield Line("no key yet that could have a backup", label=CUSTODY, mark=Mark.WARN)
        return
    reminder = proof_reminder(ledger, registry, profile, now)
    text = custody_text(custody, now)
    if reminder is None:
        yield Line(text, label=CUSTODY, mark=Mark.FAIL)
        return
    yield Line(f"{text}, again {_when(reminder)}", label=CUSTODY, mark=_MARKS[reminder.urgency])
    if reminder.urgency is not Urgency.LATER:
        yield Line(reminder.text, label="due")


def _compromise_lines(bench: Workbench) -> Iterator[Line]:
    """What is left to do for each compromised key; nothing of one for which all is done."""
    for key in compromised_keys(bench.registry()):
        for duty in duties_left(bench, key):
            yield Line(f"{key.id[-16:]}: {duty}", label="compromised", mark=Mark.FAIL)


def _reminders(bench: Workbench) -> dict[Algorithm, Reminder]:
    """What the signing key of each system will ask for; nothing of one that never expires."""
    registry = bench.registry()
    found = reminders(registry, bench.profile, bench.clock.now())
    keys = [(a, key) for a in Algorithm if (key := registry.signing_key(a)) is not None]
    return {a: r for a, key in keys for r in found if r.uid.endswith(f"-{key.id}")}


def _when(reminder: Reminder) -> str:
    if reminder.urgency is Urgency.OVERDUE:
        return f"OVERDUE: the last day was {reminder.last_day}"
    if reminder.urgency is Urgency.DUE:
        return f"due since {reminder.day}"
    return f"by {reminder.day}, {reminder.days_left} days left"


def _release_lines(bench: Workbench) -> Iterator[Line]:
    history = bench.history()
    if history.gap is not None:
        yield Line(history.gap.text, label="journal", mark=Mark.WARN)
    if not history.releases:
        yield Line("none signed yet", label="last release")
    for release in history.releases[-1:]:
        parts = " and ".join(
            part
            for part, there in (("manifest", release.manifest_sha256), ("tag", release.tag_oid))
            if there
        )
        yield Line(
            f"{release.version}: {parts} signed, {release.stage}",
            label="last release",
            mark=Mark.OK if release.confirmed_at else Mark.WARN,
        )
    for release in history.releases:
        if release.differs_at is not None:
            text = f"{release.version}: what is live is NOT what was signed (Journal)"
            yield Line(text, label="published", mark=Mark.FAIL)


def check_pages(bench: Workbench) -> tuple[Page, ...]:
    """The host's checks, each with its next action (``pai-signer check``)."""
    now, last = bench.clock.now(), bench.last_entry_at()
    behind = ["before the last journal entry: set it"] if last is not None and now < last else []
    clock = _checked("clock", f"{now:%Y-%m-%d %H:%M} UTC; compare it with a watch", behind)
    page = host_page(bench.host.facts())
    program = tuple(_program_lines(bench.program.installation()))
    return (Page(page.title, (clock, *_due_lines(bench), *page.lines, *program)),)


def _due_lines(bench: Workbench) -> Iterator[Line]:
    """What each key will ask for, and the command for it (KEY-6)."""
    for algorithm, reminder in _reminders(bench).items():
        text = f"{_DUTIES[algorithm]} {_when(reminder)}"
        if reminder.urgency is not Urgency.LATER:
            text += f": {reminder.text}"
        yield Line(text, label=f"{algorithm.value} key", mark=_MARKS[reminder.urgency])
    yield from _compromise_lines(bench)
    yield from _custody_lines(bench)


def host_page(host: HostFacts) -> Page:
    """What can be said of the machine without a vault."""
    return Page("Checks", tuple(_host_lines(host)))


def _host_lines(host: HostFacts) -> Iterator[Line]:
    problems = air_gap_problems(host)
    yield _checked("air gap", "no interface up, no route, no radio", problems)
    swap = host.swap_unencrypted
    yield _checked(
        "swap",
        "none that is not encrypted",
        ["could not be read"]
        if swap is None
        else [f"{device} is not encrypted: run 'swapoff {device}'" for device in swap],
    )
    yield _hibernation_line(host)
    doors = host.open_doors
    yield _checked(
        "process",
        "no core dump, no debugger, files for this user alone",
        ["could not be read"] if doors is None else list(doors),
    )
    yield _lock_line(host.memory_locked)
    memory = host.memory_available_bytes
    enough = memory is not None and memory > STOCK_LIMITS.memory_bytes
    short = "less than minisign's 1 GiB is free: close other programs"
    yield _checked("memory", "enough for minisign's 1 GiB", [] if enough else [short])
    yield _checked(
        "entropy",
        "the kernel's generator is ready",
        [] if host.entropy_ready else ["the kernel's generator is not ready: wait, type, move"],
    )
    for tool in host.tools:
        yield _tool_line(tool)
    size = f"{host.terminal}, {host.terminal_columns}x{host.terminal_rows}"
    small = host.terminal_columns < MIN_COLUMNS or host.terminal_rows < MIN_ROWS
    yield _checked("terminal", size, [f"{size}: the app needs 80x24"] if small else [])


def _hibernation_line(host: HostFacts) -> Line:
    """Hibernation writes all memory, passphrases included, to swap."""
    label = "hibernation"
    if host.can_hibernate is None:
        return Line("could not be read", label=label, mark=Mark.WARN)
    if not host.can_hibernate:
        return Line("the machine cannot", label=label, mark=Mark.OK)
    if host.swap_unencrypted:
        text = "would write all memory to swap in the clear: run 'systemctl mask hibernate.target'"
        return Line(text, label=label, mark=Mark.FAIL)
    return Line("could write to no swap in the clear", label=label, mark=Mark.OK)


def _lock_line(is_locked: bool | None) -> Line:
    label = "memory lock"
    if is_locked:
        return Line("none of this process can reach swap", label=label, mark=Mark.OK)
    if is_locked is None:
        return Line("could not be read", label=label, mark=Mark.WARN)
    text = "not allowed: give your user 'memlock unlimited' in /etc/security/limits.conf"
    return Line(f"{text}, or run without swap", label=label, mark=Mark.WARN)


def _program_lines(program: Installation) -> Iterator[Line]:
    """The program's own files (SEC-2): what they are, and whether they are as installed."""
    yield Line(f"pai-signer {program.version}, Python {program.python}", label="program")
    yield Line(program.sha256, label=f"{program.files} files")
    if program.problems:
        more = len(program.problems) - 1
        others = f", and {more} more" if more else ""
        text = f"{program.problems[0]}{others}: install it again from the kit"
        yield Line(text, label="installed", mark=Mark.FAIL)
    elif program.is_recorded:
        text = f"all {program.recorded_files} files are as they were installed"
        yield Line(text, label="installed", mark=Mark.OK)
    else:
        text = "it runs from a checkout: compare the digest with another machine's"
        yield Line(text, label="installed", mark=Mark.WARN)


def _checked(label: str, fine: str, problems: list[str]) -> Line:
    if problems:
        return Line("; ".join(problems), label=label, mark=Mark.FAIL)
    return Line(fine, label=label, mark=Mark.OK)


def _tool_line(tool: Tool) -> Line:
    if tool.path is not None:
        return Line(f"{tool.version} ({tool.path})", label=tool.name, mark=Mark.OK)
    mark = Mark.FAIL if tool.name in NEEDED_TOOLS else Mark.WARN
    return Line(f"not installed: {tool.install_line}", label=tool.name, mark=mark)
