"""``releases.json`` is append-only, linked by hashes, and tells one story (VER-2)."""

import hashlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pai_signer.composition import built_in_profile
from pai_signer.domain.deprecation import (
    GUIDE_NAME,
    LATEST_NAME,
    WARNING_SIGN,
    check_can_end,
    check_can_replace,
    checked_reason,
    issue_name,
    latest_of,
    notice_name,
    public_texts,
    render_guide,
)
from pai_signer.domain.journal import JournalEntry, next_entry
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.records import encode_record
from pai_signer.domain.release_index import (
    INDEX_NAME,
    Fact,
    IndexEntry,
    ReleaseIndex,
    check_extends,
    check_index,
    check_listed,
    entry_hash,
    extended,
    journal_facts,
    listed,
    parse_index,
    successor,
)
from pai_signer.errors import (
    BadSignature,
    FormatError,
    JournalTampered,
    PolicyRefused,
    SignerError,
    UsageError,
)
from tests.registries import BORN, minisign_key, openpgp_key, registry

PROFILE = parse_profile(built_in_profile())
KEYS = (minisign_key(1).id, openpgp_key(1).id)
EMPTY = ReleaseIndex(project="PAI")


def signed(version: str, **fields: Any) -> Fact:
    digest = hashlib.sha256(version.encode()).hexdigest()
    facts = {"manifest_sha256": digest, "tag_oid": digest[:40], "commit": digest[:40]} | fields
    return Fact(event="signed", at=BORN, version=version, keys=KEYS, **facts)


def unsigned(version: str, **fields: Any) -> Fact:
    facts = {"manifest_sha256": "ab" * 32, "reason": "before there were keys"} | fields
    return Fact(event="unsigned", at=BORN, version=version, **facts)


def deprecated(version: str, replacement: str, **fields: Any) -> Fact:
    facts = {"reason": "does not boot"} | fields
    return Fact(event="deprecated", at=BORN, version=version, replacement=replacement, **facts)


def index_of(*facts: Fact) -> ReleaseIndex:
    return extended(EMPTY, facts)


STORY = (
    unsigned("v0.1.0"),
    signed("v0.2.0"),
    signed("v0.3.0"),
    deprecated("v0.2.0", "v0.3.0"),
    signed("v0.4.0", manifest_sha256=None),
    signed("v0.4.0", tag_oid=None),
)


def relinked(*entries: IndexEntry) -> ReleaseIndex:
    """Entries as a forger would link them: every number and hash is right."""
    previous, made = "0" * 64, []
    for n, entry in enumerate(entries, 1):
        moved = msgspec.structs.replace(entry, n=n, previous=previous, hash="")
        made.append(msgspec.structs.replace(moved, hash=entry_hash(moved)))
        previous = made[-1].hash
    return msgspec.structs.replace(EMPTY, entries=tuple(made))


# --- the chain ---------------------------------------------------------------------------------


def test_an_index_reads_back_and_adds_up() -> None:
    index = index_of(*STORY)
    assert parse_index(encode_record(index)) == index
    releases = listed(index)
    assert list(releases) == ["v0.1.0", "v0.2.0", "v0.3.0", "v0.4.0"]
    assert not releases["v0.1.0"].was_signed
    assert releases["v0.2.0"].is_deprecated
    assert releases["v0.4.0"].manifest_sha256
    assert releases["v0.4.0"].tag_oid


def test_the_chain_can_be_made_again_with_the_standard_library_alone() -> None:
    previous = "0" * 64
    for n, entry in enumerate(json.loads(encode_record(index_of(*STORY)))["entries"], 1):
        claimed = entry.pop("hash")
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        assert (entry["n"], entry["previous"]) == (n, previous)
        previous = hashlib.sha256(text.removesuffix("}").encode()).hexdigest()
        assert claimed == previous


@pytest.mark.parametrize("place", range(len(STORY)))
def test_no_entry_can_be_changed_lost_or_moved(place: int) -> None:
    entries = list(index_of(*STORY).entries)
    changed = [*entries]
    changed[place] = msgspec.structs.replace(entries[place], at=BORN + timedelta(seconds=1))
    lost = entries[:place] + entries[place + 1 :]
    moved = [entries[place], *lost] if place else [*entries[1:], entries[0]]
    for wrong in (changed, moved, *([lost] if place < len(entries) - 1 else [])):
        with pytest.raises(FormatError, match="does not"):
            check_index(msgspec.structs.replace(EMPTY, entries=tuple(wrong)))


@pytest.mark.parametrize("place", range(len(STORY)))
def test_a_later_index_has_every_entry_of_an_earlier_one(place: int) -> None:
    """A forger links everything anew: only comparing with an earlier one finds it."""
    whole = index_of(*STORY)
    cut = msgspec.structs.replace(whole, entries=whole.entries[:place])
    check_extends(cut, whole, shown_earlier="the earlier one")
    with pytest.raises(BadSignature) as rolled_back:
        check_extends(whole, cut, shown_earlier="the earlier one")
    assert rolled_back.value.code == "VER-2/rollback"
    changed = msgspec.structs.replace(whole.entries[place], at=BORN + timedelta(seconds=1))
    forged = relinked(*whole.entries[:place], changed, *whole.entries[place + 1 :])
    with pytest.raises(BadSignature) as rewritten:
        check_extends(whole, forged, shown_earlier="the earlier one")
    assert rewritten.value.code == "VER-2/rewritten"


def test_an_index_of_another_project_is_no_earlier_one() -> None:
    other = msgspec.structs.replace(index_of(*STORY), rehearsal=True)
    with pytest.raises(BadSignature, match="another project"):
        check_extends(other, index_of(*STORY), shown_earlier="It")


def test_extending_adds_what_is_new_and_changes_nothing() -> None:
    first = index_of(*STORY[:3])
    whole = extended(first, STORY)
    assert whole == index_of(*STORY)
    assert extended(whole, STORY) == whole
    later = [msgspec.structs.replace(fact, at=BORN + timedelta(days=1)) for fact in STORY]
    assert extended(whole, later) == whole, "another clock told of the same"


# --- one story -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (signed("v0.2.0"), None),  # told already: nothing is added
        (signed("v0.2.0", manifest_sha256="cd" * 32), "a second time"),
        (signed("v0.2.0", manifest_sha256=None, tag_oid="cd" * 20), "a second time"),
        (signed("v0.1.0"), "a second time"),
        (unsigned("v0.3.0"), "in the index already"),
        (deprecated("v0.9.0", "v0.3.0"), "not in the index"),
        (deprecated("v0.2.0", "v0.4.0"), "deprecated already"),
        (deprecated("v0.3.0", "v0.3.0"), "replacement"),
        (deprecated("v0.3.0", "v0.2.0"), "replacement"),
        (deprecated("v0.3.0", "v0.1.0"), "replacement"),
        (deprecated("v0.3.0", "v0.9.0"), "replacement"),
        (deprecated("v0.3.0", "v0.4.0", reason=""), "something else"),
        (deprecated("v0.3.0", "v0.4.0", reason="a\x1b[2J"), "unprintable"),
        (signed("v0.5.0", manifest_sha256="CD" * 32), "malformed digest"),
        (signed("v0.5.0\n"), "none"),
        (signed("v0.5.0", reason="why"), "something else"),
        (signed("v0.5.0", manifest_sha256=None, tag_oid=None), "nothing"),
        (unsigned("v0.5.0", reason=""), "something else"),
    ],
)
def test_what_contradicts_the_story_is_refused(wrong: Fact, why: str | None) -> None:
    whole = index_of(*STORY)
    if why is None:
        assert extended(whole, (wrong,)) == whole
        return
    with pytest.raises(FormatError, match=why):
        extended(whole, (wrong,))


def test_the_way_to_a_good_release_leads_through_every_deprecation() -> None:
    story = (*STORY, deprecated("v0.3.0", "v0.4.0"))
    releases = listed(index_of(*story))
    assert successor(releases, "v0.2.0") == "v0.4.0"
    assert successor(releases, "v0.3.0") == "v0.4.0"
    assert successor(releases, "v0.4.0") is None
    assert successor(releases, "v9.9.9") is None


def test_files_that_differ_from_the_index_are_refused() -> None:
    release = listed(index_of(*STORY))["v0.2.0"]
    check_listed(release, "v0.2.0", release.manifest_sha256, release.tag_oid)
    check_listed(release, "v0.2.0", None, None)
    check_listed(None, "v0.7.0", "ab" * 32, None)
    for manifest, tag in (("ab" * 32, None), (None, "ab" * 20)):
        with pytest.raises(BadSignature, match="other content"):
            check_listed(release, "v0.2.0", manifest, tag)


# --- from the journal --------------------------------------------------------------------------


def journal(*events: tuple[str, dict[str, Any]]) -> tuple[JournalEntry, ...]:
    entries: list[JournalEntry] = []
    for n, (event, facts) in enumerate(events):
        last = entries[-1] if entries else None
        entries.append(next_entry(last, BORN + timedelta(hours=n), event, facts))
    return tuple(entries)


SIGNING = {
    "version": "v0.2.0",
    "visit": "all",
    "candidate_sha256": "00" * 32,
    "keys": KEYS,
    "manifest_sha256": "ab" * 32,
    "commit": "ee" * 20,
}
SIGNED = {
    "version": "v0.2.0",
    "visit": "all",
    "receipt": "receipt.json",
    "files": {},
    "tag_oid": "cd" * 20,
}
NEVER = {"version": "v0.1.0", "reason": "old", "manifest_sha256": None, "registry_serial": 2}


def test_the_journal_tells_the_same_story_however_often_it_is_asked() -> None:
    entries = journal(
        ("release.declared-unsigned", NEVER),
        ("release.signing", SIGNING),
        ("release.discarded", {"version": "v0.2.0", "visit": "all", "why": "stopped"}),
        ("release.signing", SIGNING),
        ("release.signed", SIGNED),
        ("release.exported", {"version": "v0.2.0"}),
    )
    facts = tuple(journal_facts(entries))
    assert [(fact.event, fact.version) for fact in facts] == [
        ("unsigned", "v0.1.0"),
        ("signed", "v0.2.0"),
    ]
    assert facts[1].keys == KEYS
    assert facts[1].tag_oid == "cd" * 20
    part = extended(EMPTY, journal_facts(entries[:1]))
    assert extended(part, facts) == index_of(*facts)


@pytest.mark.parametrize("event", ["release.signed", "release.deprecated"])
def test_an_entry_that_makes_no_sense_is_refused(event: str) -> None:
    with pytest.raises(JournalTampered):
        tuple(journal_facts(journal((event, {"version": "v0.2.0"}))))


# --- deprecation ------------------------------------------------------------------------------


def test_only_a_signed_and_current_release_replaces_another_one() -> None:
    releases = listed(index_of(*STORY))
    assert check_can_replace(releases, "v0.3.0", "v0.4.0").version == "v0.4.0"
    for replacement, why in (
        ("v0.3.0", "itself"),
        ("v0.2.0", "deprecated itself"),
        ("v0.1.0", "not signed"),
        ("v9.9.9", "not signed"),
    ):
        with pytest.raises(PolicyRefused, match=why):
            check_can_replace(releases, "v0.3.0", replacement)


def test_a_release_is_deprecated_once_and_an_unsigned_one_may_be() -> None:
    releases = listed(index_of(*STORY))
    assert check_can_end(releases, "v0.1.0").version == "v0.1.0"
    with pytest.raises(PolicyRefused, match="deprecated already"):
        check_can_end(releases, "v0.2.0")
    with pytest.raises(UsageError):
        check_can_end(releases, "v9.9.9")


@pytest.mark.parametrize("text", ["", "  ", ".", "a\nb", "\x1b[2J", "x" * 301])
def test_a_reason_is_one_printable_line(text: str) -> None:
    with pytest.raises(UsageError):
        checked_reason(text)
    assert checked_reason(" does not boot. ") == "does not boot"


def test_latest_is_the_newest_good_final_release() -> None:
    def latest(*facts: Fact) -> str | None:
        found = latest_of(listed(index_of(*facts)), PROFILE)
        return found.version if found else None

    assert latest() is None
    assert latest(unsigned("v0.1.0")) is None
    assert latest(signed("v0.10.0"), signed("v0.9.1")) == "v0.10.0", "a hotfix is not the latest"
    assert latest(signed("v0.1.0"), signed("v0.2.0-rc.1")) == "v0.1.0"
    assert latest(signed("v0.2.0-rc.1")) == "v0.2.0-rc.1"
    bad = (signed("v0.1.0"), signed("v0.2.0"), deprecated("v0.2.0", "v0.1.0"))
    assert latest(*bad) == "v0.1.0", "back to the last good version"
    assert latest(*bad, signed("v0.2.1")) == "v0.2.1"


def test_the_texts_are_what_the_runbook_asks_for() -> None:
    index = index_of(*STORY)
    texts = public_texts(index, PROFILE)
    assert set(texts) == {INDEX_NAME, LATEST_NAME, notice_name("v0.2.0"), issue_name("v0.2.0")}
    notice = texts[notice_name("v0.2.0")].decode()
    assert notice.startswith(f"**{WARNING_SIGN} DEPRECATED \N{EM DASH} see v0.3.0**\n")
    assert "does not boot" in notice
    assert str(listed(index)["v0.2.0"].manifest_sha256) in notice
    assert texts[issue_name("v0.2.0")].decode().count("\n") == 1
    latest = json.loads(texts[LATEST_NAME])
    assert (latest["version"], latest["index_head"]) == ("v0.4.0", index.head)
    assert public_texts(index, PROFILE) == texts


def test_texts_of_a_rehearsal_say_so() -> None:
    texts = public_texts(msgspec.structs.replace(index_of(*STORY), rehearsal=True), PROFILE)
    assert texts[notice_name("v0.2.0")].startswith(b"**REHEARSAL")
    assert b"REHEARSAL" in texts[issue_name("v0.2.0")]
    assert json.loads(texts[LATEST_NAME])["rehearsal"] is True


def test_the_guide_verifies_first_and_deletes_nothing() -> None:
    guide = render_guide(index_of(*STORY), "v0.2.0", PROFILE, registry())
    assert guide.index("minisign -Vm") < guide.index("gh release edit v0.2.0")
    assert "gh release edit v0.4.0 --latest" in guide
    assert "gpg --verify releases.json.asc releases.json" in guide
    for word in ("delete", "rm ", "--force", "push -f"):
        assert word not in guide.replace("Nothing is deleted", ""), word
    assert GUIDE_NAME.endswith(".md")


# --- growth -------------------------------------------------------------------------------------


def a_thousand() -> ReleaseIndex:
    facts = [signed(f"v1.{n}.0") for n in range(1000)]
    return index_of(*facts, *(deprecated(f"v1.{n}.0", f"v1.{n + 1}.0") for n in range(0, 900, 2)))


def test_a_thousand_releases_stay_instant() -> None:
    """Reading, checking every link and judging: far below what a person notices."""
    index = a_thousand()
    data = encode_record(index)
    began = time.process_time()
    releases = listed(parse_index(data))
    took_s = time.process_time() - began
    assert len(releases) == 1000
    assert took_s < 0.5


# --- hostile files ------------------------------------------------------------------------------


def _with(change: Callable[[Any], None]) -> bytes:
    decoded = json.loads(encode_record(index_of(*STORY)))
    change(decoded)
    return msgspec.json.format(msgspec.json.encode(decoded), indent=2) + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        encode_record(index_of(*STORY)) + b"\n",
        _with(lambda d: d.update(more=1)),
        _with(lambda d: d.update(format=2)),
        _with(lambda d: d.update(project="")),
        _with(lambda d: d["entries"][0].update(event="deleted")),
        _with(lambda d: d["entries"][0].update(n=0)),
        _with(lambda d: d["entries"][0].update(at="2026-01-05T12:00:00+02:00")),
        _with(lambda d: d["entries"].pop(0)),
        _with(lambda d: d["entries"].append(d["entries"][-1])),
    ],
)
def test_anything_else_than_we_would_write_is_refused(data: bytes) -> None:
    with pytest.raises(SignerError) as error:
        parse_index(data)
    assert isinstance(error.value, FormatError)
