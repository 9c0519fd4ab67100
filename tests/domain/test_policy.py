"""The rules, each passing and failing, waivable or not (IMP-4, IMP-5, POL-1 to POL-9)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from pai_signer import BUILD_DATE
from pai_signer.composition import built_in_profile
from pai_signer.domain.artifact import (
    Artifact,
    Candidate,
    Commit,
    ExpectedDigest,
    Finding,
    FindingLevel,
    HashedFile,
)
from pai_signer.domain.custody import KeyName, WithdrawalCause
from pai_signer.domain.history import Gap, ReleaseHistory, SignedFile, SignedRelease
from pai_signer.domain.host import HostFacts, Interface
from pai_signer.domain.ledger import Ledger
from pai_signer.domain.policy import (
    CHECK_IDS,
    CheckResult,
    PolicyFacts,
    Result,
    check_release,
    failures,
    refusal,
    require,
)
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.errors import CustodyError, DigestMismatch, PolicyRefused, UsageError
from tests.custody import FIRST_DAY, CustodyJournal, stick

NOW: Final = BUILD_DATE + timedelta(days=100)
BORN: Final = NOW - timedelta(days=30)
PROFILE: Final = parse_profile(built_in_profile())
OLD, NEW = "a" * 40, "b" * 40


def artifact(architecture: str = "amd64", version: str = "1.2.0", **changes: Any) -> Artifact:
    digest = ("1" if architecture == "amd64" else "2") * 64
    hashed = HashedFile(
        name=f"pai-{version}-{architecture}.iso",
        size_bytes=1000,
        modified_at_s=(NOW - timedelta(days=1)).timestamp(),
        sha256=digest,
        blake2b_512="3" * 128,
    )
    expected = (
        ExpectedDigest(source="SHA256SUMS", sha256=digest),
        ExpectedDigest(source="typed", sha256=digest, independent=True),
    )
    plain = Artifact(file=hashed, architecture=architecture, expected=expected)
    return msgspec.structs.replace(plain, **changes)


def renamed(of: Artifact, name: str) -> Artifact:
    return msgspec.structs.replace(of, file=msgspec.structs.replace(of.file, name=name))


def modified(of: Artifact, at_s: float) -> Artifact:
    return msgspec.structs.replace(of, file=msgspec.structs.replace(of.file, modified_at_s=at_s))


def candidate(*artifacts: Artifact, **changes: Any) -> Candidate:
    plain = Candidate(
        version="v1.2.0",
        imported_at="",
        source="",
        artifacts=artifacts or (artifact("amd64"), artifact("arm64")),
        commit=Commit(oid=NEW, author="A <a@x>", committed_at="", subject="", previous_oid=OLD),
    )
    return msgspec.structs.replace(plain, **changes)


def commit(**changes: Any) -> Candidate:
    plain = candidate()
    assert plain.commit is not None
    return msgspec.structs.replace(plain, commit=msgspec.structs.replace(plain.commit, **changes))


MINISIGN: Final = RegisteredKey(
    algorithm=Algorithm.MINISIGN, id="1", public_key="x", state=KeyState.ACTIVE, created_at=BORN
)
OPENPGP: Final = RegisteredKey(
    algorithm=Algorithm.OPENPGP,
    id="F" * 40,
    public_key="y",
    state=KeyState.ACTIVE,
    created_at=BORN,
    expires_at=NOW + timedelta(days=300),
)


def registry(*keys: RegisteredKey) -> Registry:
    return Registry(project="PAI", serial=1, changed_at=BORN, keys=keys)


def key(of: RegisteredKey, **changes: Any) -> RegisteredKey:
    return msgspec.structs.replace(of, **changes)


def signed(version: str, **changes: Any) -> SignedRelease:
    plain = SignedRelease(
        version,
        "2026-01-01T00:00:00Z",
        datetime(2026, 1, 1, tzinfo=UTC),
        manifest=(SignedFile(name="x", sha256="9" * 64),),
        manifest_sha256="9" * 64,
        commit=OLD,
        tag_oid="c" * 40,
    )
    return replace(plain, **changes)


def history(*releases: SignedRelease) -> ReleaseHistory:
    return ReleaseHistory(releases)


def with_gap(*since: str) -> ReleaseHistory:
    """v1.1.0, then a restored journal that may lack some, then more releases."""
    gap = Gap(NOW - timedelta(days=5), "the journal may lack newer entries", ("v1.1.0",))
    newer = (signed(version, last_signed_at=NOW - timedelta(days=2)) for version in since)
    return replace(history(signed("v1.1.0"), *newer), gap=gap)


QUIET: Final = HostFacts(
    interfaces=(Interface("eth0", is_up=False, is_wireless=False),),
    routes=(),
    radios_unblocked=(),
    swap_unencrypted=(),
    memory_available_bytes=1 << 33,
    entropy_ready=True,
    tools=(),
    terminal="linux",
    terminal_columns=80,
    terminal_rows=24,
)

KEYS: Final = tuple(KeyName(algorithm=k.algorithm, id=k.id) for k in (MINISIGN, OPENPGP))
PROVED_ON: Final = (NOW - FIRST_DAY).days - 9


def proved(*, day: int = PROVED_ON, first: str = "A-1", second: str = "B-1") -> Ledger:
    """Anna on one medium, then Bob on another, both keys each."""
    journal = CustodyJournal()
    journal.proved(day, "Anna", stick(first), *KEYS)
    journal.proved(day + 2, "Bob", stick(second), *KEYS)
    return journal.ledger()


def anna_alone() -> Ledger:
    journal = CustodyJournal()
    for uuid in ("A-1", "A-2"):
        journal.proved(PROVED_ON, "Anna", stick(uuid), *KEYS)
    return journal.ledger()


def bob_withdrawn() -> Ledger:
    journal = CustodyJournal()
    journal.proved(PROVED_ON, "Anna", stick("A-1"), *KEYS)
    journal.proved(PROVED_ON, "Bob", stick("B-1"), *KEYS)
    journal.withdrawn(PROVED_ON + 1, WithdrawalCause.MEDIUM_LOST, medium=stick("B-1"))
    return journal.ledger()


FACTS: Final = PolicyFacts(
    candidate=candidate(),
    profile=PROFILE,
    registry=registry(MINISIGN, OPENPGP),
    history=history(signed("v1.1.0")),
    ledger=proved(),
    host=QUIET,
    now=NOW,
    last_entry_at=NOW - timedelta(days=1),
    clock_confirmed=True,
    sign_manifest=True,
    sign_tag=True,
    manifest_sha256="4" * 64,
)


def judged(check: str, waivers: dict[str, str] | None = None, **changes: Any) -> CheckResult:
    """The result of one check over ``FACTS`` with ``changes``."""
    results = check_release(replace(FACTS, **changes), waivers or {})
    return next(r for r in results if r.id == check)


def test_every_check_that_the_product_names_is_there() -> None:
    assert ("IMP-4", "IMP-5", *(f"POL-{n}" for n in range(1, 10))) == CHECK_IDS


def test_a_plain_release_passes_everything() -> None:
    results = check_release(FACTS, {})
    assert [r.id for r in results if r.result is not Result.PASSED] == []


# --- fails ------------------------------------------------------------------------------

WRONG: Final = ExpectedDigest(source="SHA256SUMS", sha256="0" * 64)
TRUNCATED: Final = Finding(level=FindingLevel.BAD, text="TRUNCATED")
ODD: Final = Finding(level=FindingLevel.ODD, text="WRONG ARCHITECTURE?")
WLAN: Final = Interface("wlan0", is_up=True, is_wireless=True)
EXPIRED: Final = key(OPENPGP, expires_at=NOW)
OVERDUE: Final = key(MINISIGN, created_at=NOW - timedelta(days=730 + 90))

FINAL: Final[dict[str, tuple[str, dict[str, Any]]]] = {  # nothing waives these
    "a digest that differs": (
        "IMP-4",
        {"candidate": candidate(artifact(expected=(WRONG,)), artifact("arm64"))},
    ),
    "one source of several that differs": (
        "IMP-4",
        {"candidate": candidate(artifact(expected=(*artifact().expected, WRONG)))},
    ),
    "a file of another version": (
        "POL-1",
        {"candidate": candidate(artifact(version="1.2.1"), artifact("arm64"))},
    ),
    "a file of other build metadata": (
        "POL-1",
        {"candidate": candidate(artifact(version="1.2.0+x"), artifact("arm64"))},
    ),
    "a name that is no artifact's": (
        "POL-1",
        {"candidate": candidate(renamed(artifact(), "evil.iso"), artifact("arm64"))},
    ),
    "an artifact is missing": ("POL-2", {"candidate": candidate(artifact("amd64"))}),
    "one architecture twice": (
        "POL-2",
        {
            "candidate": candidate(
                artifact(), renamed(artifact(), "pai-v1.2.0-amd64.iso"), artifact("arm64")
            )
        },
    ),
    "other files under a signed version": ("POL-4", {"history": history(signed("v1.2.0"))}),
    "another commit under a signed version": (
        "POL-4",
        {"history": history(signed("v1.2.0", manifest_sha256="4" * 64))},
    ),
    "no commit": ("POL-5", {"candidate": candidate(commit=None)}),
    "a tag name that is taken": ("POL-5", {"candidate": commit(existing_tag_oid="d" * 40)}),
    "no minisign key": ("POL-6", {"registry": registry(OPENPGP)}),
    "no OpenPGP key": ("POL-6", {"registry": registry(MINISIGN)}),
    "a retired key": (
        "POL-6",
        {"registry": registry(MINISIGN, key(OPENPGP, state=KeyState.RETIRED))},
    ),
    "a compromised key": (
        "POL-6",
        {"registry": registry(key(MINISIGN, state=KeyState.COMPROMISED), OPENPGP)},
    ),
    "an expired key": ("POL-6", {"registry": registry(MINISIGN, EXPIRED)}),
    "a key overdue for rotation": ("POL-6", {"registry": registry(OVERDUE, OPENPGP)}),
    "nobody confirmed the clock": ("POL-8", {"clock_confirmed": False}),
    "a clock before this program": (
        "POL-8",
        {"now": BUILD_DATE - timedelta(seconds=1), "last_entry_at": None},
    ),
    "a clock before the last entry": ("POL-8", {"last_entry_at": NOW + timedelta(seconds=1)}),
    "a clock before the newest artifact": (
        "POL-8",
        {"candidate": candidate(modified(artifact(), (NOW + timedelta(hours=1)).timestamp()))},
    ),
    "an artifact from beyond all time": (
        "POL-8",
        {"candidate": candidate(modified(artifact(), 1e300))},
    ),
}

WAIVABLE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "no expected digest": (
        "IMP-4",
        {"candidate": candidate(artifact(expected=()), artifact("arm64"))},
    ),
    "a truncated image": (
        "IMP-5",
        {"candidate": candidate(artifact(findings=(ODD, TRUNCATED)), artifact("arm64"))},
    ),
    "a journal that may lack releases": ("POL-3", {"history": with_gap()}),
    "an older line than what was signed since": ("POL-3", {"history": with_gap("v1.3.0")}),
    "an older version": ("POL-3", {"history": history(signed("v1.3.0"), signed("v1.1.0"))}),
    "a prerelease of a signed release": (
        "POL-3",
        {
            "history": history(signed("v1.2.0")),
            "candidate": candidate(version="v1.2.0-rc.1"),
        },
    ),
    "a commit that does not descend": (
        "POL-5",
        {"candidate": commit(descends_from_previous=False)},
    ),
    "no backup": ("POL-7", {"ledger": Ledger()}),
    "one custodian on two media": ("POL-7", {"ledger": anna_alone()}),
    "two custodians on one medium": ("POL-7", {"ledger": proved(second="A-1")}),
    "a proof that is too old": ("POL-7", {"ledger": proved(day=PROVED_ON - 180)}),
    "a proof of the previous key": (
        "POL-7",
        {"registry": registry(key(MINISIGN, id="2"), OPENPGP)},
    ),
    "a medium that was lost since": ("POL-7", {"ledger": bob_withdrawn()}),
    "no key that could be proved": ("POL-7", {"registry": registry()}),
    "a clock that jumped": ("POL-8", {"last_entry_at": NOW - timedelta(days=401)}),
    "an interface up": ("POL-9", {"host": replace(QUIET, interfaces=(WLAN,))}),
    "a route": ("POL-9", {"host": replace(QUIET, routes=("default via 10.0.0.1 dev eth0",))}),
    "a radio": ("POL-9", {"host": replace(QUIET, radios_unblocked=("wlan phy0",))}),
    "interfaces that cannot be read": ("POL-9", {"host": replace(QUIET, interfaces=None)}),
    "routes that cannot be read": ("POL-9", {"host": replace(QUIET, routes=None)}),
    "radios that cannot be read": ("POL-9", {"host": replace(QUIET, radios_unblocked=None)}),
}


@pytest.mark.parametrize("case", FINAL)
def test_it_fails_and_no_reason_waives_it(case: str) -> None:
    check, changes = FINAL[case]
    for waivers in ({}, {check: "because I say so"}):
        result = judged(check, waivers, **changes)
        assert (result.result, result.waivable, result.reason) == (Result.FAILED, False, "")


@pytest.mark.parametrize("case", WAIVABLE)
def test_it_fails_unless_a_typed_reason_waives_it(case: str) -> None:
    check, changes = WAIVABLE[case]
    failed = judged(check, **changes)
    assert (failed.result, failed.waivable) == (Result.FAILED, True)
    waived = judged(check, {check: "  a good reason  "}, **changes)
    assert (waived.result, waived.reason) == (Result.WAIVED, "a good reason")
    assert waived.text == failed.text


@pytest.mark.parametrize("case", WAIVABLE)
def test_a_waiver_of_another_check_does_not_help(case: str) -> None:
    check, changes = WAIVABLE[case]
    other = {i: "a good reason" for i in CHECK_IDS if i != check}
    assert judged(check, other, **changes).result is Result.FAILED


# --- passes and warns ---------------------------------------------------------------------

PASSES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "the first release": ("POL-3", {"history": history()}),
    "newer than a release signed since the gap": ("POL-3", {"history": with_gap("v1.1.5")}),
    "the second visit of a release since the gap": ("POL-3", {"history": with_gap("v1.2.0")}),
    "the first commit": ("POL-5", {"candidate": commit(previous_oid=None)}),
    "the manifest after the tag": (
        "POL-4",
        {"history": history(signed("v1.2.0", manifest_sha256=None, commit=NEW))},
    ),
    "the tag after the manifest": (
        "POL-4",
        {"history": history(signed("v1.2.0", manifest_sha256="4" * 64, commit=None))},
    ),
    "the same release does not count as an earlier one": (
        "POL-3",
        {"history": history(signed("v1.2.0"), signed("v1.1.0"))},
    ),
    "a key that never expires": (
        "POL-6",
        {"registry": registry(MINISIGN, key(OPENPGP, expires_at=None))},
    ),
    "a rehearsal's keys": (
        "POL-6",
        {
            "registry": registry(
                key(MINISIGN, state=KeyState.REHEARSAL), key(OPENPGP, state=KeyState.REHEARSAL)
            )
        },
    ),
    "an artifact a little ahead": (
        "POL-8",
        {"candidate": candidate(modified(artifact(), (NOW + timedelta(minutes=9)).timestamp()))},
    ),
    "an artifact from before 1970": (
        "POL-8",
        {"candidate": candidate(modified(artifact(), -1e18))},
    ),
    "the first entry": ("POL-8", {"last_entry_at": None}),
    "an interface that is down": ("POL-9", {"host": QUIET}),
}

WARNS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "no independent source": (
        "IMP-4",
        {
            "candidate": candidate(
                artifact(expected=artifact().expected[:1]),
                artifact("arm64", expected=artifact("arm64").expected[:1]),
            )
        },
    ),
    "an odd image": ("IMP-5", {"candidate": candidate(artifact(findings=(ODD,)))}),
    "a key due for rotation": (
        "POL-6",
        {"registry": registry(key(MINISIGN, created_at=NOW - timedelta(days=730)), OPENPGP)},
    ),
}


@pytest.mark.parametrize("case", PASSES)
def test_it_passes(case: str) -> None:
    check, changes = PASSES[case]
    assert judged(check, **changes).result is Result.PASSED


@pytest.mark.parametrize("case", WARNS)
def test_it_warns_and_does_not_refuse(case: str) -> None:
    check, changes = WARNS[case]
    assert judged(check, **changes).result is Result.WARNED
    assert check not in [r.id for r in failures(check_release(replace(FACTS, **changes), {}))]


def test_every_check_has_a_case_that_passes_and_one_that_fails() -> None:
    assert {check for check, _ in (*FINAL.values(), *WAIVABLE.values())} == set(CHECK_IDS)
    plain = {r.id for r in check_release(FACTS, {}) if r.result is Result.PASSED}
    assert plain == set(CHECK_IDS)


# --- what concerns whom ---------------------------------------------------------------------


def test_a_tag_visit_is_not_asked_about_artifacts() -> None:
    ids = {r.id for r in check_release(replace(FACTS, sign_manifest=False), {})}
    assert ids == set(CHECK_IDS) - {"IMP-4", "IMP-5", "POL-2"}


def test_a_manifest_visit_is_not_asked_about_the_commits_descent() -> None:
    ids = {r.id for r in check_release(replace(FACTS, sign_tag=False), {})}
    assert ids == set(CHECK_IDS) - {"POL-5"}


# --- waivers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["", "   ", "abc", "x" * 301, "two\nlines", "\x1b[31mred", "a\u202eb reason"]
)
def test_a_waiver_needs_a_reason_in_plain_words(reason: str) -> None:
    with pytest.raises(UsageError) as error:
        check_release(FACTS, {"POL-7": reason})
    assert error.value.code == "POL/no-reason"


@pytest.mark.parametrize("check", ["POL-10", "pol-7", "", "REV-2", "SIG-5"])
def test_a_waiver_of_what_is_no_check_is_refused(check: str) -> None:
    with pytest.raises(UsageError) as error:
        check_release(FACTS, {check: "a good reason"})
    assert error.value.code == "POL/unknown-waiver"


def test_a_waiver_of_what_passes_leaves_no_trace() -> None:
    result = judged("POL-9", {"POL-9": "a good reason"})
    assert (result.result, result.reason) == (Result.PASSED, "")


# --- what the failures add up to ------------------------------------------------------------------


def refused(**changes: Any) -> Exception | None:
    facts = replace(FACTS, **changes)
    return refusal(check_release(facts, {}), facts.candidate)


def test_nothing_failed_is_no_refusal() -> None:
    assert refused() is None
    require(check_release(FACTS, {}), FACTS.candidate)


def test_a_wrong_digest_is_wrong_and_not_policy() -> None:
    error = refused(candidate=candidate(artifact(expected=(WRONG,)), artifact("arm64")))
    assert isinstance(error, DigestMismatch)
    assert error.exit_code == 4
    assert "0" * 64 in error.summary
    assert "1" * 64 in error.summary


def test_a_wrong_digest_is_said_before_any_other_failure() -> None:
    error = refused(
        candidate=candidate(artifact(expected=(WRONG,))), history=history(signed("v1.2.0"))
    )
    assert isinstance(error, DigestMismatch)


def test_nobody_vouching_is_policy() -> None:
    error = refused(candidate=candidate(artifact(expected=()), artifact("arm64")))
    assert isinstance(error, PolicyRefused)
    assert error.exit_code == 3
    assert "--waive IMP-4=REASON" in error.hint


def test_a_final_failure_offers_no_waiver() -> None:
    error = refused(history=history(signed("v1.2.0")), host=replace(QUIET, routes=("x",)))
    assert isinstance(error, PolicyRefused)
    assert "--waive" not in error.hint
    assert "POL-4 cannot be waived" in error.hint


def test_custody_alone_is_its_own_kind_of_refusal() -> None:
    error = refused(ledger=Ledger())
    assert isinstance(error, CustodyError)
    assert error.exit_code == 3
    assert error.code == "POL-7/refused"
    assert "--waive POL-7=REASON" in error.hint
    both = refused(ledger=Ledger(), clock_confirmed=False)
    assert isinstance(both, PolicyRefused)
    assert not isinstance(both, CustodyError)


def test_custody_says_what_is_missing_of_which_key() -> None:
    assert judged("POL-7").text == "2 of 2 proved, oldest proof 9 days ago"
    text = judged("POL-7", ledger=bob_withdrawn()).text
    both = "minisign and openpgp keys: 1 of 2 custodians proved; Bob on B-1: withdrawn (medium"
    assert text.startswith(both)
    nothing = judged("POL-7", ledger=Ledger()).text
    assert nothing == "no backup is known (2 custodians on 2 media wanted)"
    previous = judged("POL-7", registry=registry(key(MINISIGN, id="2"), OPENPGP)).text
    assert previous == "minisign key: 0 of 2 custodians proved; no backup is known"


@pytest.mark.parametrize("change", [lambda: {"clock_confirmed": False, "ledger": Ledger()}])
def test_require_raises_what_refusal_says(change: Callable[[], dict[str, Any]]) -> None:
    facts = replace(FACTS, **change())
    with pytest.raises(PolicyRefused) as error:
        require(check_release(facts, {}), facts.candidate)
    assert error.value.code == "POL-7/refused"
    assert "POL-8: nobody confirmed" in error.value.summary


def test_times_are_compared_in_utc() -> None:
    assert NOW.tzinfo is UTC
    assert datetime.fromtimestamp(FACTS.candidate.artifacts[0].file.modified_at_s, UTC) < NOW
