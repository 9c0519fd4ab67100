"""Only what the journal proves is endorsed, and only exactly those bytes (KEY-5)."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from pai_signer.domain.endorsement import (
    Endorsement,
    check_endorsement,
    endorse,
    endorsed_release,
    parse_endorsement,
)
from pai_signer.domain.journal import JournalEntry, next_entry
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import KeyState, Registry
from pai_signer.domain.registry_rules import mark_compromised, rotate
from pai_signer.errors import FormatError, JournalTampered, PolicyRefused, UntrustedKey
from tests.registries import BORN, YEAR, minisign_key, openpgp_key, registry

LATER = BORN + YEAR
MANIFEST = "ab" * 32
OID = "cd" * 20


def journal(*events: tuple[str, Mapping[str, object]]) -> tuple[JournalEntry, ...]:
    entries: list[JournalEntry] = []
    for n, (event, facts) in enumerate(events):
        last = entries[-1] if entries else None
        entries.append(next_entry(last, BORN + timedelta(hours=n), event, facts))
    return tuple(entries)


def visit(
    version: str, keys: tuple[str, ...], what: str = "all"
) -> tuple[tuple[str, Mapping[str, object]], ...]:
    signing: dict[str, object] = {
        "version": version,
        "visit": what,
        "candidate_sha256": "00" * 32,
        "keys": keys,
    }
    if what != "tag":
        signing |= {"manifest_sha256": MANIFEST}
    if what != "manifest":
        signing |= {"commit": "ee" * 20}
    signed = {
        "version": version,
        "visit": what,
        "receipt": "receipt.json",
        "files": {f"{what}.txt": "12" * 32},
        "tag_oid": OID if what != "manifest" else None,
    }
    return (("release.signing", signing), ("release.signed", signed))


GPG = openpgp_key(1).id
SIGNED = journal(
    ("vault.created", {}),
    *visit("v0.2.0", ("1", GPG), "tag"),
    *visit("v0.2.0", ("1", GPG), "manifest"),
    *visit("v0.3.0", ("1", GPG)),
    *visit("v0.4.0", ("2", GPG)),
    visit("v0.5.0", ("1", GPG))[0],
)


def compromised() -> Registry:
    marked = mark_compromised(
        registry(), "1", reason="laptop stolen", now=LATER, do_not_trust_after=BORN + YEAR / 2
    )
    return rotate(marked, minisign_key(2), reason="compromise", now=LATER)


def endorsement() -> Endorsement:
    return parse_endorsement(encode_record(endorse(compromised(), "1", SIGNED, LATER)))


def test_the_list_holds_what_the_journal_says_was_finished_under_that_key() -> None:
    made = endorsement()
    assert [release.version for release in made.releases] == ["v0.2.0", "v0.3.0"]
    assert (made.journal.n, made.journal.hash) == (SIGNED[-1].n, SIGNED[-1].hash)
    assert (made.compromised, made.do_not_trust_after) == ("1", BORN + YEAR / 2)
    two_visits = made.releases[0]
    assert two_visits.signed_by == ("1", GPG)
    assert (two_visits.manifest_sha256, two_visits.tag_oid) == (MANIFEST, OID)
    assert set(two_visits.files) == {"tag.txt", "manifest.txt"}
    assert two_visits.signed_at == SIGNED[4].time


def test_only_a_compromised_key_needs_an_endorsement() -> None:
    with pytest.raises(PolicyRefused, match="not marked as compromised"):
        endorse(registry(), "1", SIGNED, LATER)
    with pytest.raises(PolicyRefused, match="no journal"):
        endorse(compromised(), "1", (), LATER)


def test_a_journal_that_makes_no_sense_endorses_nothing() -> None:
    alone = journal(visit("v0.2.0", ("1",))[1])
    with pytest.raises(JournalTampered):
        endorse(compromised(), "1", alone, LATER)


@pytest.mark.parametrize(
    "given",
    [
        {"manifest_sha256": MANIFEST},
        {"tag_oid": OID},
        {"manifest_sha256": MANIFEST, "tag_oid": OID},
        {"files": {"tag.txt": "12" * 32}},
    ],
)
def test_exactly_the_endorsed_bytes_are_covered(given: dict[str, object]) -> None:
    release = endorsed_release(endorsement(), "1", "v0.2.0", **given)  # type: ignore[arg-type]
    assert release.version == "v0.2.0"


@pytest.mark.parametrize(
    ("key_id", "version", "given", "why"),
    [
        ("1", "v0.2.0", {}, "Nothing"),
        ("1", "v0.2.0", {"files": {}}, "Nothing"),
        ("1", "v0.2.0", {"manifest_sha256": "ba" * 32}, "the manifest"),
        ("1", "v0.2.0", {"tag_oid": "dc" * 20}, "the tag"),
        ("1", "v0.2.0", {"manifest_sha256": MANIFEST, "tag_oid": "dc" * 20}, "the tag"),
        ("1", "v0.2.0", {"manifest_sha256": MANIFEST, "files": {"x": "12" * 32}}, "x"),
        ("1", "v0.2.0", {"files": {"tag.txt": "13" * 32}}, "tag.txt"),
        ("1", "v0.2.1", {"manifest_sha256": MANIFEST}, "not among"),
        ("1", "v0.4.0", {"manifest_sha256": MANIFEST}, "not among"),
        ("1", "v0.5.0", {"manifest_sha256": MANIFEST}, "not among"),
        ("2", "v0.2.0", {"manifest_sha256": MANIFEST}, "not among"),
    ],
)
def test_nothing_else_is_covered(
    key_id: str, version: str, given: dict[str, object], why: str
) -> None:
    with pytest.raises(UntrustedKey, match=why):
        endorsed_release(endorsement(), key_id, version, **given)  # type: ignore[arg-type]


def test_the_new_key_and_the_other_system_may_sign_the_list() -> None:
    for signer in ("2", GPG):
        check_endorsement(endorsement(), compromised(), signer)


def test_a_compromised_key_never_endorses_itself() -> None:
    with pytest.raises(UntrustedKey, match="is compromised"):
        check_endorsement(endorsement(), compromised(), "1")


def test_an_unknown_or_rehearsal_key_endorses_nothing() -> None:
    with pytest.raises(UntrustedKey, match="not in the registry"):
        check_endorsement(endorsement(), compromised(), "FF")
    practice = msgspec.structs.replace(
        compromised(),
        keys=(*compromised().keys, minisign_key(9, KeyState.REHEARSAL)),
    )
    with pytest.raises(UntrustedKey, match="rehearsal"):
        check_endorsement(endorsement(), practice, "9")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"project": "PIA"}, "another project"),
        ({"compromised": "2"}, "2 is not compromised"),
        ({"do_not_trust_after": BORN}, "another last day"),
    ],
)
def test_a_list_that_contradicts_the_registry_is_of_no_use(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(UntrustedKey, match=why):
        check_endorsement(msgspec.structs.replace(endorsement(), **fields), compromised(), GPG)


def test_a_malformed_list_is_refused() -> None:
    made = endorsement()
    first = made.releases[0]

    def with_first(**fields: object) -> Endorsement:
        changed = msgspec.structs.replace(first, **fields)
        return msgspec.structs.replace(made, releases=(changed, *made.releases[1:]))

    broken = {
        "twice": msgspec.structs.replace(made, releases=(first, first)),
        "time zone": msgspec.structs.replace(made, made_at=LATER.replace(tzinfo=None)),
        "malformed": with_first(manifest_sha256="AB" * 32),
        "is malformed": with_first(manifest_sha256=None, tag_oid=None),
        "digest is malformed": with_first(tag_oid="cd"),
        "a digest is malformed": with_first(files={"x": "y"}),
        "not signed by that key": with_first(signed_by=(GPG,)),
    }
    for why, endorsed in broken.items():
        with pytest.raises(FormatError, match=why):
            parse_endorsement(encode_record(endorsed))
