"""The rules, as pure named checks (POL-1 to POL-9, and IMP-4, IMP-5 before them).

Each check looks at the same ``PolicyFacts`` and says passed, warned or failed in
one line. A failed one that may be waived becomes *waived* by a typed reason.
All results are shown, journalled and written on the receipt.
"""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pai_signer import BUILD_DATE
from pai_signer.domain.artifact import Artifact, Candidate, FindingLevel, Record
from pai_signer.domain.history import Gap, ReleaseHistory
from pai_signer.domain.host import HostFacts
from pai_signer.domain.ledger import Ledger, custody_text
from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.version import Version
from pai_signer.errors import CustodyError, DigestMismatch, PolicyRefused, SignerError, UsageError

#: Clocks of machines that made the artifacts may run a little ahead of ours.
CLOCK_TOLERANCE: Final = timedelta(minutes=10)

#: The last second that ``datetime`` knows: 9999-12-31T23:59:59Z.
_LATEST_S: Final = 253_402_300_799

MIN_REASON_LENGTH: Final = 4
MAX_REASON_LENGTH: Final = 300


class Result(enum.Enum):
    """How a check ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    WAIVED = "waived"


class CheckResult(Record, frozen=True, kw_only=True):
    """One check's outcome, as it stands on the review page and on the receipt."""

    id: str
    title: str
    result: Result
    text: str
    waivable: bool = False
    reason: str = ""


@dataclass(frozen=True)
class PolicyFacts:
    """All that the rules look at; ``now`` is taken once (POL-8)."""

    candidate: Candidate
    profile: Profile
    registry: Registry
    history: ReleaseHistory
    ledger: Ledger
    host: HostFacts
    now: datetime
    last_entry_at: datetime | None
    clock_confirmed: bool
    sign_manifest: bool
    sign_tag: bool
    #: SHA-256 of the canonical manifest that would be signed; None without artifacts.
    manifest_sha256: str | None

    @property
    def version(self) -> Version:
        """The candidate's version, parsed."""
        return self.profile.version_of(self.candidate.version)


@dataclass(frozen=True)
class _Verdict:
    result: Result
    text: str
    waivable: bool = False


def _passed(text: str) -> _Verdict:
    return _Verdict(Result.PASSED, text)


def _failed(text: str, *, waivable: bool = False) -> _Verdict:
    return _Verdict(Result.FAILED, text, waivable)


# --- the checks -------------------------------------------------------------------------


def _digests_vouched_for(facts: PolicyFacts) -> _Verdict:
    """IMP-4: a computed digest agrees with every expected one, and there is one."""
    wrong = [a.file.name for a in facts.candidate.artifacts if a.mismatches]
    if wrong:
        return _failed(f"the digest is not the expected one: {', '.join(wrong)}")
    alone = [a.file.name for a in facts.candidate.artifacts if not a.expected]
    if alone:
        return _failed(f"nobody vouches for the digest of {', '.join(alone)}", waivable=True)
    if not any(e.independent for a in facts.candidate.artifacts for e in a.expected):
        return _Verdict(Result.WARNED, "digests agree, but no independent source was given")
    return _passed("all digests agree with every source, an independent one among them")


def _images_are_sound(facts: PolicyFacts) -> _Verdict:
    """IMP-5: no image is cut off, has data appended, or is no image at all."""
    found = [(a.file.name, finding) for a in facts.candidate.artifacts for finding in a.findings]
    bad = [f"{name}: {f.text}" for name, f in found if f.level is FindingLevel.BAD]
    if bad:
        return _failed("; ".join(bad), waivable=True)
    odd = [f"{name}: {f.text}" for name, f in found if f.level is FindingLevel.ODD]
    if odd:
        return _Verdict(Result.WARNED, "; ".join(odd))
    return _passed("nothing odd was found in the images")


def _version_agrees(facts: PolicyFacts) -> _Verdict:
    """POL-1: SemVer, and the same in the tag and in every artifact's name."""
    expected = facts.version
    for artifact in facts.candidate.artifacts:
        named = facts.profile.release_of_name(artifact.file.name)
        if named is None or named[0].text != expected.text:
            return _failed(f"{artifact.file.name} is not a file of {facts.candidate.version}")
    return _passed(f"{expected} in the tag and in every file name")


def _artifacts_complete(facts: PolicyFacts) -> _Verdict:
    """POL-2: every artifact that the profile asks for, once, and nothing else."""
    present = [artifact.architecture for artifact in facts.candidate.artifacts]
    wanted = [w.architecture for w in facts.profile.artifacts.wanted]
    missing = [w for w in wanted if w not in present]
    if missing:
        return _failed(f"missing: {', '.join(missing)}")
    if sorted(present) != sorted(wanted):
        return _failed("there is more than one file of an architecture")
    return _passed(f"all {len(wanted)} files are there and nothing else")


def _newer_than_last(facts: PolicyFacts) -> _Verdict:
    """POL-3: newer than every release signed so far."""
    others = [r for r in facts.history.releases if r.version != facts.candidate.version]
    gap = facts.history.gap
    if gap is not None and not _is_behind_gap(facts, gap):
        # Nor can POL-4 know: whoever waives this has looked up what is published.
        return _failed(f"{gap.text}: releases signed since are not known here", waivable=True)
    if not others:
        return _passed("no other release was signed here before")
    newest = max(others, key=lambda r: facts.profile.version_of(r.version))
    if facts.version > facts.profile.version_of(newest.version):
        return _passed(f"newer than {newest.version}")
    return _failed(f"{newest.version} was signed already (a hotfix line?)", waivable=True)


def _is_behind_gap(facts: PolicyFacts, gap: Gap) -> bool:
    """Whether a release that was signed since the gap has an earlier version than this one."""
    since = (r for r in facts.history.releases if r.last_signed_at >= gap.since)
    known = [r.version for r in since if r.version not in gap.before]
    version_of = facts.profile.version_of
    return any(version_of(version) <= facts.version for version in known)


def _never_other_content(facts: PolicyFacts) -> _Verdict:
    """POL-4: a published checksum is a contract; nothing waives this one."""
    signed = facts.history.find(facts.candidate.version)
    if signed is None:
        return _passed("this version was never signed before")
    digest = facts.manifest_sha256
    if digest and signed.manifest_sha256 and digest != signed.manifest_sha256:
        return _failed("this version was signed with OTHER FILES before")
    commit = facts.candidate.commit.oid if facts.candidate.commit else None
    if commit and signed.commit and commit != signed.commit:
        return _failed(f"this version was signed at another commit before: {signed.commit}")
    return _passed("what was signed of this version before stays as it is")


def _tag_target(facts: PolicyFacts) -> _Verdict:
    """POL-5: a commit, descending from the last release's, under a free tag name."""
    commit = facts.candidate.commit
    if commit is None:
        return _failed("no commit was imported")
    if commit.existing_tag_oid is not None:
        return _failed(f"the repository has a tag {facts.candidate.version} already")
    if not commit.descends_from_previous:
        return _failed(
            f"the commit does not descend from the last release's {commit.previous_oid}",
            waivable=True,
        )
    if commit.previous_oid is None:
        return _passed("a commit; there is no earlier release to descend from")
    return _passed("a commit that descends from the last release's")


def _keys_usable(facts: PolicyFacts) -> _Verdict:
    """POL-6: both keys active, unexpired, not overdue for rotation."""
    due: list[str] = []
    for algorithm in Algorithm:
        key = facts.registry.signing_key(algorithm)
        if key is None:
            return _failed(f"there is no active {algorithm.value} key")
        if key.expires_at is not None and key.expires_at <= facts.now:
            return _failed(f"the {algorithm.value} key expired on {key.expires_at:%Y-%m-%d}")
        if algorithm is Algorithm.MINISIGN:
            rotation = rotation_due(key, facts.profile)
            grace = timedelta(days=facts.profile.keys.rotation_grace_days)
            if facts.now >= rotation + grace:
                return _failed(
                    f"the minisign key is overdue for rotation since {rotation:%Y-%m-%d}"
                )
            if facts.now >= rotation:
                due.append(f"the minisign key is due for rotation since {rotation:%Y-%m-%d}")
    if due:
        return _Verdict(Result.WARNED, "; ".join(due))
    return _passed("both keys are active")


def rotation_due(key: RegisteredKey, profile: Profile) -> datetime:
    """When a minisign key is to be replaced (POL-6)."""
    return key.created_at + timedelta(days=profile.keys.minisign_rotation_days)


def _custody_proved(facts: PolicyFacts) -> _Verdict:
    """POL-7: of each key, backups with enough custodians on enough media, proved lately."""
    custody = facts.ledger.custody(facts.registry, facts.profile.custody, facts.now)
    if not custody:
        return _failed("there is no active key whose backup could be proved", waivable=True)
    text = custody_text(custody, facts.now)
    if not all(status.is_enough for _, status in custody):
        return _failed(text, waivable=True)
    return _passed(text)


def _clock_believable(facts: PolicyFacts) -> _Verdict:
    """POL-8: confirmed, and neither behind anything known nor far ahead of it."""
    bounds: list[tuple[datetime, str]] = [(BUILD_DATE, "this program's own date")]
    if facts.last_entry_at is not None:
        bounds.append((facts.last_entry_at, "the last journal entry"))
    bounds.extend(
        (_modified_at(a) - CLOCK_TOLERANCE, a.file.name) for a in facts.candidate.artifacts
    )
    for earliest, what in bounds:
        if facts.now < earliest:
            return _failed(f"the clock says {facts.now:%Y-%m-%d %H:%M} UTC, before {what}")
    if not facts.clock_confirmed:
        return _failed("nobody confirmed that the clock is right")
    longest = timedelta(days=facts.profile.clock.longest_jump_days)
    if facts.last_entry_at is not None and facts.now - facts.last_entry_at > longest:
        return _failed(
            f"the last journal entry is of {facts.last_entry_at:%Y-%m-%d}: a long time ago",
            waivable=True,
        )
    return _passed(f"{facts.now:%Y-%m-%d %H:%M} UTC, confirmed")


def _modified_at(artifact: Artifact) -> datetime:
    """When a file says it was last written; a medium can claim any number for that."""
    return datetime.fromtimestamp(min(max(artifact.file.modified_at_s, 0), _LATEST_S), UTC)


def _air_gap(facts: PolicyFacts) -> _Verdict:
    """POL-9: no interface up but loopback, no route, radios blocked."""
    problems = air_gap_problems(facts.host)
    if problems:
        return _failed("; ".join(problems), waivable=True)
    return _passed("no network interface is up, no route, no radio")


def air_gap_problems(host: HostFacts) -> list[str]:
    """What speaks against an air gap, in words; what could not be read counts too."""
    problems: list[str] = []
    if host.interfaces is None:
        problems.append("network interfaces could not be read")
    else:
        up = [i.name for i in host.interfaces if i.is_up]
        if up:
            problems.append(f"network interface up: {', '.join(up)}")
    if host.routes is None:
        problems.append("routes could not be read")
    elif host.routes:
        problems.append(f"network route: {', '.join(host.routes[:3])}")
    if host.radios_unblocked is None:
        problems.append("radio switches could not be read")
    elif host.radios_unblocked:
        problems.append(f"radio not blocked: {', '.join(host.radios_unblocked)}")
    return problems


@dataclass(frozen=True)
class _Check:
    id: str
    title: str
    judge: Callable[[PolicyFacts], _Verdict]
    for_manifest: bool = True
    for_tag: bool = True


_CHECKS: Final = (
    _Check("IMP-4", "digests are vouched for", _digests_vouched_for, for_tag=False),
    _Check("IMP-5", "images are sound", _images_are_sound, for_tag=False),
    _Check("POL-1", "version", _version_agrees),
    _Check("POL-2", "artifacts complete", _artifacts_complete, for_tag=False),
    _Check("POL-3", "newer than the last", _newer_than_last),
    _Check("POL-4", "never other content", _never_other_content),
    _Check("POL-5", "tag target", _tag_target, for_manifest=False),
    _Check("POL-6", "keys usable", _keys_usable),
    _Check("POL-7", "custody proved", _custody_proved),
    _Check("POL-8", "clock", _clock_believable),
    _Check("POL-9", "air gap", _air_gap),
)

#: Every check's ID, in the order in which they are shown.
CHECK_IDS: Final = tuple(check.id for check in _CHECKS)


def check_release(facts: PolicyFacts, waivers: Mapping[str, str]) -> tuple[CheckResult, ...]:
    """Run every check that concerns what is to be signed; ``waivers`` are reasons by ID.

    A waiver changes only a failed check that may be waived. ``UsageError`` for a
    waiver of an unknown check or with no real reason.
    """
    check_waivers(waivers)
    return tuple(_results(facts, waivers))


def _results(facts: PolicyFacts, waivers: Mapping[str, str]) -> Iterator[CheckResult]:
    for check in _CHECKS:
        if not ((facts.sign_manifest and check.for_manifest) or (facts.sign_tag and check.for_tag)):
            continue
        verdict = check.judge(facts)
        result = CheckResult(
            id=check.id,
            title=check.title,
            result=verdict.result,
            text=verdict.text,
            waivable=verdict.waivable,
        )
        if result.result is Result.FAILED and result.waivable and check.id in waivers:
            result = msgspec.structs.replace(
                result, result=Result.WAIVED, reason=waivers[check.id].strip()
            )
        yield result


def check_waivers(waivers: Mapping[str, str]) -> None:
    """Refuse waivers that name no check or give no reason."""
    for check_id, reason in waivers.items():
        if check_id not in CHECK_IDS:
            raise UsageError(
                "POL/unknown-waiver",
                f"There is no check {check_id!r} to waive.",
                f"The checks are {', '.join(CHECK_IDS)}.",
            )
        check_reason(check_id, reason)


def check_reason(check_id: str, reason: str) -> None:
    """A reason is a sentence of a person, in printable characters."""
    if not (MIN_REASON_LENGTH <= len(reason.strip()) <= MAX_REASON_LENGTH and reason.isprintable()):
        raise UsageError(
            "POL/no-reason",
            f"The waiver of {check_id} needs a reason in plain words.",
            f"Type why, in {MIN_REASON_LENGTH} to {MAX_REASON_LENGTH} printable characters.",
        )


def failures(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """The checks that still say no."""
    return tuple(r for r in results if r.result is Result.FAILED)


def refusal(results: Sequence[CheckResult], candidate: Candidate) -> SignerError | None:
    """The error that the failed checks add up to, or None when signing may go on.

    A digest that is wrong is its own kind of error (exit code 4); the rest is policy.
    """
    failed = failures(results)
    if not failed:
        return None
    mismatched = _first_mismatch(candidate.artifacts)
    if mismatched is not None and any(r.id == "IMP-4" for r in failed):
        return mismatched
    text = " ".join(f"{r.id}: {r.text}." for r in failed)
    final = [r.id for r in failed if not r.waivable]
    if final:
        hint = f"{', '.join(final)} cannot be waived: discard this candidate, or mend the cause."
    else:
        waivers = " ".join(f"--waive {r.id}=REASON" for r in failed)
        hint = f"Mend the cause, or waive by a typed reason: {waivers}"
    family = CustodyError if {r.id for r in failed} == {"POL-7"} else PolicyRefused
    return family(f"{failed[0].id}/refused", text, hint)


def _first_mismatch(artifacts: Sequence[Artifact]) -> DigestMismatch | None:
    for artifact in artifacts:
        for expected in artifact.mismatches:
            return DigestMismatch(
                "IMP-4/mismatch",
                f"{artifact.file.name}: {expected.source} says {expected.sha256}, "
                f"but the file has {artifact.file.sha256}.",
                "Discard this candidate. Download the file again and find out which is wrong.",
            )
    return None


def require(results: Sequence[CheckResult], candidate: Candidate) -> None:
    """Raise what ``refusal`` says, if anything."""
    error = refusal(results, candidate)
    if error is not None:
        raise error
