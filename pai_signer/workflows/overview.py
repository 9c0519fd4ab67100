"""What stands where: the state that Home shows, in lines (SCREENS.md)."""

from collections.abc import Iterator

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import air_gap_problems, rotation_due
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.engine import Unfinished, unfinished_work
from pai_signer.workflows.workbench import Workbench

#: How long before an expiry or a rotation it is shown as due.
LEAD_DAYS = 60


def home_page(bench: Workbench) -> Page:
    """Keys with their state and days left, custody, last release, media."""
    lines = [*_key_lines(bench), *_release_lines(bench), *_media_lines(bench)]
    return Page(f"{bench.profile.project.name} - {bench.info.maintainer_name}", tuple(lines))


def unfinished(bench: Workbench) -> tuple[Unfinished, ...]:
    """Saved runs that can be resumed."""
    return unfinished_work(bench.states)


def _key_lines(bench: Workbench) -> Iterator[Line]:
    registry, now = bench.registry(), bench.clock.now()
    for algorithm in Algorithm:
        label = f"{algorithm.value} key"
        key = registry.signing_key(algorithm)
        if key is None:
            yield Line("none yet: generate or import one", label=label, mark=Mark.WARN)
            continue
        due = key.expires_at
        word = "expires"
        if algorithm is Algorithm.MINISIGN:
            due, word = rotation_due(key, bench.profile), "rotation"
        days = (due - now).days if due is not None else None
        when = f", {word} in {days} days" if days is not None else ", never expires"
        mark = Mark.OK
        if days is not None and days < LEAD_DAYS:
            mark = Mark.FAIL if days < 0 else Mark.WARN
        yield Line(f"{key.id[-16:]} {key.state.value}{when}", label=label, mark=mark)
    yield Line("not yet set up", label="custody", mark=Mark.WARN)


def _release_lines(bench: Workbench) -> Iterator[Line]:
    history = bench.history()
    if not history.releases:
        yield Line("none signed yet", label="last release")
    for release in history.releases[-1:]:
        parts = " and ".join(
            part
            for part, there in (("manifest", release.manifest_sha256), ("tag", release.tag_oid))
            if there
        )
        exported = "exported" if release.exported else "not exported yet"
        yield Line(
            f"{release.version}: {parts} signed, {exported}",
            label="last release",
            mark=Mark.OK if release.exported else Mark.WARN,
        )


def _media_lines(bench: Workbench) -> Iterator[Line]:
    media = bench.media.list()
    if not media:
        yield Line("none plugged in", label="media")
    for medium in media:
        facts = f"{medium.label or 'no label'}, {medium.filesystem}, {medium.size_bytes:,} bytes"
        yield Line(f"{medium.device}: {facts}", label="medium")


def check_pages(bench: Workbench) -> tuple[Page, ...]:
    """The host's checks, each with its next action (``pai-signer check``)."""
    return (Page("Checks", tuple(_check_lines(bench))),)


def _check_lines(bench: Workbench) -> Iterator[Line]:
    host = bench.host.facts()
    problems = air_gap_problems(host)
    yield Line(
        "; ".join(problems) or "no interface up, no route, no radio",
        label="air gap",
        mark=Mark.FAIL if problems else Mark.OK,
    )
    now, last = bench.clock.now(), bench.last_entry_at()
    behind = last is not None and now < last
    yield Line(
        f"{now:%Y-%m-%d %H:%M} UTC" + (", before the last journal entry" if behind else ""),
        label="clock",
        mark=Mark.FAIL if behind else Mark.OK,
    )
