"""How the registry changes: states move forward, nothing is lost, links are whole (KEY-2)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
    UnsignedRelease,
    check_registry,
    parse_registry,
    published_files,
    with_key,
)
from pai_signer.domain.registry_rules import (
    certificate_fingerprint,
    check_successor,
    expect_no_signature,
    mark_compromised,
    note_releases,
    replace_certificate,
    retire,
    rotate,
)
from pai_signer.errors import FormatError, PolicyRefused, SignerError, UntrustedKey, UsageError
from tests.keys import weak_openpgp_key
from tests.registries import (
    BORN,
    YEAR,
    altered,
    certificate,
    flipped,
    minisign_key,
    openpgp_key,
    registry,
)

LATER = BORN + YEAR
V010 = UnsignedRelease(
    version="v0.1.0", reason="published before there were keys", manifest_sha256="ab" * 32
)


def read_back(changed: Registry) -> Registry:
    return parse_registry(encode_record(changed))


def rotated() -> Registry:
    return rotate(registry(), minisign_key(2), reason="every two years", now=LATER)


def compromised() -> Registry:
    return mark_compromised(
        registry(), "1", reason="laptop stolen", now=LATER, do_not_trust_after=LATER - YEAR / 2
    )


# --- rotation -------------------------------------------------------------------------------


def test_rotation_retires_the_old_key_and_links_both_ways() -> None:
    changed = read_back(rotated())
    old, new = changed.find("1"), changed.find("2")
    assert (old.state, old.superseded_by, old.state_since) == (KeyState.RETIRED, "2", LATER)
    assert old.reason == "every two years"
    assert (new.state, new.supersedes) == (KeyState.ACTIVE, "1")
    assert changed.signing_key(Algorithm.MINISIGN) == new
    assert (changed.serial, changed.changed_at) == (3, LATER)
    check_successor(registry(), changed)


def test_the_retired_key_stays_published_and_the_current_one_is_the_new() -> None:
    changed = rotated()
    files = published_files({"registry.json": encode_record(changed)})
    assert {"minisign-1.pub", "minisign-2.pub", "minisign.pub"} <= set(files)
    assert files["minisign.pub"] == files["minisign-2.pub"]


def test_after_a_compromise_the_new_key_follows_the_compromised_one() -> None:
    changed = rotate(compromised(), minisign_key(2), reason="compromise", now=LATER)
    old = read_back(changed).find("1")
    assert (old.state, old.superseded_by) == (KeyState.COMPROMISED, "2")
    assert old.reason == "laptop stolen"
    check_successor(compromised(), changed)


def test_rotation_wants_a_key_to_follow() -> None:
    with pytest.raises(PolicyRefused, match="no minisign key"):
        rotate(registry(openpgp_key(1)), minisign_key(2), reason="why", now=LATER)


def test_rotation_refuses_a_key_that_is_in_it_or_has_a_story() -> None:
    with pytest.raises(FormatError, match="twice"):
        rotate(registry(), minisign_key(1), reason="why", now=LATER)
    for story in ({"state": KeyState.RETIRED}, {"supersedes": "1"}, {"superseded_by": "1"}):
        with pytest.raises(PolicyRefused, match="story"):
            rotate(registry(), altered(minisign_key(2), **story), reason="why", now=LATER)


def test_an_id_that_does_not_name_its_public_key_is_refused() -> None:
    for key in (minisign_key(2), openpgp_key(2)):
        other = altered(key, id="3" if key.algorithm is Algorithm.MINISIGN else "A" * 40)
        with pytest.raises(FormatError, match=r"not 3|not AAAA"):
            rotate(registry(), other, reason="why", now=LATER)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "\x1b[31m", "x" * 301])
def test_a_change_of_state_needs_a_reason_in_plain_words(reason: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        rotate(registry(), minisign_key(2), reason=reason, now=LATER)
    with pytest.raises(UsageError, match="reason"):
        retire(registry(), "1", reason=reason, now=LATER)


def test_no_key_is_touched_under_a_clock_that_is_behind() -> None:
    with pytest.raises(PolicyRefused, match="clock"):
        rotate(registry(), minisign_key(2), reason="why", now=BORN - timedelta(days=1))


# --- rehearsal ------------------------------------------------------------------------------


def rehearsal() -> Registry:
    return registry(minisign_key(1, KeyState.REHEARSAL), openpgp_key(1, KeyState.REHEARSAL))


def test_no_key_is_added_under_a_clock_that_is_behind() -> None:
    known = registry(openpgp_key(1))
    with pytest.raises(PolicyRefused) as error:
        with_key(known, minisign_key(2), BORN - timedelta(seconds=1))
    assert error.value.code == "KEY-2/clock"
    assert with_key(known, minisign_key(2), BORN).serial == known.serial + 1


@pytest.mark.parametrize("new", [minisign_key(2), openpgp_key(2)])
def test_rehearsal_and_real_keys_never_follow_each_other(new: RegisteredKey) -> None:
    practice = altered(new, state=KeyState.REHEARSAL)
    with pytest.raises(PolicyRefused, match="rehearsal key"):
        rotate(rehearsal(), new, reason="why", now=LATER)
    with pytest.raises(PolicyRefused, match="rehearsal key"):
        rotate(registry(), practice, reason="why", now=LATER)
    with pytest.raises(FormatError, match="mixes"):
        check_registry(registry(minisign_key(1), openpgp_key(1, KeyState.REHEARSAL)))


def test_a_rotated_rehearsal_key_stays_one_and_signs_no_more() -> None:
    new = minisign_key(2, KeyState.REHEARSAL)
    changed = read_back(rotate(rehearsal(), new, reason="practice", now=LATER))
    old = changed.find("1")
    assert (old.state, old.life, old.can_sign) == (KeyState.REHEARSAL, KeyState.RETIRED, False)
    assert changed.signing_key(Algorithm.MINISIGN) == altered(new, supersedes="1")
    marked = mark_compromised(changed, "1", reason="drill", now=LATER, do_not_trust_after=BORN)
    assert marked.find("1").state is KeyState.REHEARSAL
    assert marked.find("1").life is KeyState.COMPROMISED
    check_successor(rehearsal(), read_back(marked))


def test_a_key_that_calls_itself_a_rehearsal_is_never_registered_as_real() -> None:
    key = altered(openpgp_key(1), user_id="REHEARSAL PAI <a@b.invalid>")
    with pytest.raises(FormatError, match="rehearsal key that stands as a real one"):
        with_key(registry(minisign_key(1)), key, LATER)


# --- retiring, compromise ---------------------------------------------------------------------


def test_retiring_needs_no_successor_but_an_active_key() -> None:
    changed = read_back(retire(registry(), "1", reason="project ends", now=LATER))
    assert changed.find("1").state is KeyState.RETIRED
    assert changed.signing_key(Algorithm.MINISIGN) is None
    with pytest.raises(PolicyRefused, match="is retired"):
        retire(changed, "1", reason="again", now=LATER)


@pytest.mark.parametrize("begin", [registry, rotated])
def test_active_and_retired_keys_can_be_found_compromised(begin: Callable[[], Registry]) -> None:
    before = begin()
    changed = read_back(
        mark_compromised(before, "1", reason="leak", now=LATER, do_not_trust_after=BORN)
    )
    key = changed.find("1")
    assert (key.state, key.do_not_trust_after) == (KeyState.COMPROMISED, BORN)
    assert key.superseded_by == before.find("1").superseded_by
    check_successor(before, changed)


def test_compromised_is_the_end() -> None:
    with pytest.raises(PolicyRefused, match="is compromised"):
        mark_compromised(compromised(), "1", reason="x", now=LATER, do_not_trust_after=BORN)
    with pytest.raises(PolicyRefused, match="is compromised"):
        retire(compromised(), "1", reason="x", now=LATER)


@pytest.mark.parametrize("moment", [BORN - timedelta(seconds=1), LATER + timedelta(seconds=1)])
def test_the_last_moment_of_trust_lies_in_the_keys_life(moment: datetime) -> None:
    with pytest.raises(UsageError, match="between"):
        mark_compromised(registry(), "1", reason="x", now=LATER, do_not_trust_after=moment)


def test_unknown_keys_cannot_be_changed() -> None:
    with pytest.raises(UntrustedKey, match="not in the registry"):
        retire(registry(), "FF", reason="x", now=LATER)


# --- certificates -----------------------------------------------------------------------------


def test_a_certificate_grows_and_gets_its_new_expiry() -> None:
    before = registry()
    key = before.find(openpgp_key(1).id)
    grown = certificate(1, signatures=2, subkeys=2)
    changed = read_back(
        replace_certificate(before, key.id, grown, expires_at=LATER + YEAR, now=LATER)
    )
    assert changed.find(key.id).public_key == grown
    assert changed.find(key.id).expires_at == LATER + YEAR
    check_successor(before, changed)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (certificate(1, signatures=0), "lacks a part"),
        (certificate(1, subkeys=0, signatures=3), "lacks a part"),
        (certificate(2, signatures=2), "is of"),
    ],
)
def test_a_certificate_that_lost_a_part_or_is_another_is_refused(other: str, why: str) -> None:
    with pytest.raises(PolicyRefused, match=why):
        replace_certificate(registry(), openpgp_key(1).id, other, expires_at=None, now=LATER)


def test_a_fingerprint_is_computed_as_gpg_computes_it() -> None:
    real = weak_openpgp_key()
    assert certificate_fingerprint(real.info.certificate) == real.info.fingerprint


def test_a_minisign_key_has_no_certificate() -> None:
    with pytest.raises(UsageError, match="minisign"):
        replace_certificate(registry(), "1", certificate(1), expires_at=None, now=LATER)


# --- releases ---------------------------------------------------------------------------------


def noted(known: Registry, first: str, last: str) -> Registry:
    """A later state in which key 1 signed from ``first`` to ``last``."""
    later = msgspec.structs.replace(known, serial=known.serial + 1, changed_at=LATER)
    return note_releases(later, {"1": (first, last), "unknown": ("v9", "v9")})


def test_releases_of_a_key_are_noted_from_the_first_to_the_last() -> None:
    once = noted(registry(), "v0.2.0", "v0.2.0")
    changed = read_back(noted(once, "v0.2.0", "v0.3.0"))
    key = changed.find("1")
    assert (key.first_release, key.last_release) == ("v0.2.0", "v0.3.0")
    check_successor(once, changed)
    with pytest.raises(PolicyRefused, match="first release"):
        noted(changed, "v0.1.0", "v0.3.0")
    with pytest.raises(FormatError, match="names a release"):
        noted(registry(), "v 1", "v2")


def test_a_release_of_which_no_signature_was_expected() -> None:
    changed = read_back(expect_no_signature(registry(), V010, now=LATER))
    assert changed.unsigned_release("v0.1.0") == V010
    assert changed.unsigned_release("v0.2.0") is None
    check_successor(registry(), changed)
    with pytest.raises(PolicyRefused, match="already"):
        expect_no_signature(changed, V010, now=LATER)


def test_a_signed_release_is_never_declared_unsigned() -> None:
    signed = noted(registry(), "v0.2.0", "v0.3.0")
    for version in ("v0.2.0", "v0.3.0"):
        with pytest.raises(PolicyRefused, match="already"):
            expect_no_signature(signed, UnsignedRelease(version=version, reason="x"), now=LATER)


@pytest.mark.parametrize(
    "release",
    [
        UnsignedRelease(version="v 1", reason="x"),
        UnsignedRelease(version="", reason="x"),
        UnsignedRelease(version="v1", reason=" "),
        UnsignedRelease(version="v1", reason="\x1b"),
        UnsignedRelease(version="v1", reason="x", manifest_sha256="AB" * 32),
    ],
)
def test_a_malformed_unsigned_release_is_refused(release: UnsignedRelease) -> None:
    with pytest.raises(FormatError, match="without signatures"):
        expect_no_signature(registry(), release, now=LATER)


# --- the rules between keys -------------------------------------------------------------------


def chained(*links: tuple[str | None, str | None]) -> Registry:
    """Retired keys 1, 2, ... with (supersedes, superseded by)."""
    keys = (
        altered(minisign_key(n, KeyState.RETIRED), supersedes=before, superseded_by=after)
        for n, (before, after) in enumerate(links, 1)
    )
    return registry(*keys)


def test_a_chain_of_keys_is_whole() -> None:
    check_registry(chained((None, "2"), ("1", "3"), ("2", None)))


@pytest.mark.parametrize(
    "links",
    [
        [("2", "2"), ("1", "1")],
        [("3", "2"), ("1", "3"), ("2", "1")],
        [(None, None), ("4", "3"), ("2", "4"), ("3", "2")],
    ],
)
def test_keys_that_supersede_each_other_in_a_circle_are_refused(
    links: list[tuple[str | None, str | None]],
) -> None:
    with pytest.raises(FormatError, match="circle"):
        check_registry(chained(*links))


@pytest.mark.parametrize(
    ("links", "why"),
    [
        ([(None, "2"), (None, None)], "does not say that it supersedes"),
        ([(None, None), ("1", None)], "does not say that 2 supersedes"),
        ([(None, "3"), ("1", None), ("1", None)], "does not say"),
        ([(None, "9")], "not in it"),
        ([("1", "1")], "not in it"),
        # A tail that leads into a circle: a naive walk along it would never end.
        ([(None, "2"), ("1", "3"), ("2", "2")], "does not say"),
    ],
)
def test_links_that_stand_at_one_end_only_are_refused(
    links: list[tuple[str | None, str | None]], why: str
) -> None:
    with pytest.raises(FormatError, match=why):
        check_registry(chained(*links))


def test_a_key_never_supersedes_one_of_another_system() -> None:
    gpg = openpgp_key(1)
    keys = (
        altered(minisign_key(1, KeyState.RETIRED), superseded_by=gpg.id),
        altered(gpg, supersedes="1"),
    )
    with pytest.raises(FormatError, match="another system"):
        check_registry(registry(*keys))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rehearsed_state": KeyState.RETIRED}, "cannot play"),
        ({"do_not_trust_after": BORN}, "last day of trust"),
        ({"state_since": BORN.replace(tzinfo=None)}, "no time in UTC"),
        ({"first_release": "v1"}, "one end"),
        ({"last_release": "v1"}, "one end"),
        ({"first_release": "v1\n", "last_release": "v1"}, "a release that is none"),
        ({"reason": "\x1b[2J"}, "unprintable"),
    ],
)
def test_a_key_whose_fields_contradict_its_state_is_refused(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(FormatError, match=why):
        check_registry(registry(altered(minisign_key(1), **fields)))


@pytest.mark.parametrize("played", [KeyState.ACTIVE, KeyState.REHEARSAL])
def test_a_rehearsal_key_that_is_active_says_so_in_one_way_only(played: KeyState) -> None:
    key = altered(minisign_key(1, KeyState.REHEARSAL), rehearsed_state=played)
    with pytest.raises(FormatError, match="cannot play"):
        check_registry(registry(key))


# --- what may follow what -----------------------------------------------------------------------


def test_a_registry_follows_itself() -> None:
    check_successor(registry(), registry())


def grown(key_id: str = "1", serial: int = 9, **fields: object) -> Registry:
    """``rotated()`` with one key changed, as a forger might."""
    before = rotated()
    keys = tuple(altered(k, **fields) if k.id == key_id else k for k in before.keys)
    return msgspec.structs.replace(before, serial=serial, keys=keys)


def test_a_successor_may_not_fork() -> None:
    other = msgspec.structs.replace(rotated(), changed_at=LATER + YEAR)
    with pytest.raises(PolicyRefused, match="serial"):
        check_successor(rotated(), other)
    with pytest.raises(PolicyRefused, match="serial"):
        check_successor(rotated(), registry())


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (lambda: msgspec.structs.replace(grown(), project="PIA"), "it is of PIA"),
        (lambda: msgspec.structs.replace(grown(), keys=grown().keys[::-1]), "order"),
        (lambda: msgspec.structs.replace(grown(), keys=(openpgp_key(1),)), "is gone"),
        (lambda: grown(public_key=flipped(minisign_key(1).public_key)), "another public key"),
        (lambda: grown(expires_at=LATER), "another expiry"),
        (lambda: grown(created_at=LATER), "another created_at"),
        (lambda: grown(user_id="Someone"), "another user_id"),
        (lambda: grown(reason="as if"), "another reason"),
        (lambda: grown(state_since=BORN), "another reason or date"),
        (
            lambda: grown(openpgp_key(1).id, public_key=certificate(1, signatures=0)),
            "does not hold all",
        ),
        (lambda: grown(openpgp_key(1).id, expires_at=LATER + YEAR), "another expiry"),
    ],
)
def test_what_no_honest_change_could_have_done_is_refused(
    new: Callable[[], Registry], why: str
) -> None:
    with pytest.raises(PolicyRefused, match=why):
        check_successor(rotated(), new())


def test_a_successor_is_not_older_by_its_date() -> None:
    known = msgspec.structs.replace(registry(), changed_at=LATER)
    with pytest.raises(PolicyRefused, match="older"):
        check_successor(known, msgspec.structs.replace(registry(), serial=9))


def test_a_state_never_moves_back() -> None:
    back = msgspec.structs.replace(registry(), serial=9, changed_at=LATER)
    ended = retire(registry(), "1", reason="x", now=LATER)
    with pytest.raises(PolicyRefused, match="active again"):
        check_successor(ended, back)
    with pytest.raises(PolicyRefused, match="retired again"):
        check_successor(compromised(), msgspec.structs.replace(ended, serial=9))


def test_a_rehearsal_registry_never_becomes_a_real_one() -> None:
    real = msgspec.structs.replace(
        rehearsal(),
        serial=9,
        keys=(minisign_key(1), altered(openpgp_key(1), user_id="Test Key <test@test.invalid>")),
    )
    with pytest.raises(PolicyRefused, match=r"rehearsal and real|another user_id"):
        check_successor(rehearsal(), real)


def test_facts_that_were_told_once_stay() -> None:
    told = noted(compromised(), "v1", "v2")
    for field, value, why in (
        ("do_not_trust_after", LATER, "do_not_trust_after"),
        ("first_release", "v0", "first_release"),
    ):
        keys = tuple(altered(k, **{field: value}) if k.id == "1" else k for k in told.keys)
        new = msgspec.structs.replace(told, serial=99, keys=keys)
        with pytest.raises(PolicyRefused, match=why):
            check_successor(told, new)
    silent = altered(told.find("1"), first_release=None, last_release=None)
    new = msgspec.structs.replace(told, serial=99, keys=(silent, *told.keys[1:]))
    with pytest.raises(PolicyRefused, match="first_release"):
        check_successor(told, new)


def test_what_is_said_of_an_unsigned_release_stays() -> None:
    told = expect_no_signature(registry(), V010, now=LATER)
    forged = msgspec.structs.replace(V010, manifest_sha256=None)
    for releases in ((), (forged,)):
        new = msgspec.structs.replace(told, serial=99, unsigned_releases=releases)
        with pytest.raises(PolicyRefused, match=r"v0\.1\.0"):
            check_successor(told, new)


def test_a_malformed_successor_is_not_even_compared() -> None:
    with pytest.raises(SignerError, match="circle"):
        check_successor(registry(), chained(("2", "2"), ("1", "1")))
