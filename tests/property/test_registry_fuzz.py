"""Every changed byte of a published registry is refused, and all that breaks a rule (KEY-2)."""

import itertools
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import msgspec
import pytest

from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    FIRST_TIME,
    LAST_TIME,
    MAX_REGISTRY_BYTES,
    REGISTRY_NAME,
    KeyState,
    Registry,
    check_registry,
    parse_registry,
)
from pai_signer.errors import FormatError, SignerError, UntrustedKey
from tests.registries import BORN, YEAR, altered, certificate, openpgp_key
from tests.registry_fuzz import (
    REFUSALS,
    SIGNATURE,
    Tally,
    known_files,
    known_registry,
    load,
    real_key,
    signed,
    try_one,
)

TRIES: Final = 4000


def test_the_registry_is_good_as_it_is() -> None:
    files = known_files()
    assert load(files) == known_registry()
    assert {"minisign.pub", "minisign-1.pub", "minisign-2.pub"} < set(files)


@pytest.mark.parametrize("name", sorted(known_files()))
def test_any_changed_byte_of_any_published_file_is_refused(name: str) -> None:
    """Byte for byte, with three other values each: a flipped bit, its case, a far one."""
    whole = known_files()[name]
    accepted = set()
    for at, bit in itertools.product(range(len(whole)), (0x01, 0x20, 0x80)):
        changed = whole[:at] + bytes((whole[at] ^ bit,)) + whole[at + 1 :]
        try:
            assert load({**known_files(), name: changed}) == known_registry()
        except REFUSALS:
            continue
        accepted.add(at)
    untrusted = range(len("untrusted comment: "), whole.index(b"\n"))
    assert accepted <= (set(untrusted) if name == SIGNATURE else set())
    assert bool(accepted) == (name == SIGNATURE)  # what nobody signed proves nothing either way


@pytest.mark.parametrize("name", sorted(known_files()))
def test_a_file_that_is_cut_off_or_continued_is_refused(name: str) -> None:
    whole = known_files()[name]
    cuts = [whole[:at] for at in range(len(whole))] + [whole + b"\n", whole + b" ", whole + whole]
    for changed in cuts:
        if name == SIGNATURE and changed == whole.removesuffix(b"\n"):
            continue  # some writers leave it out
        with pytest.raises(SignerError) as error:
            load({**known_files(), name: changed})
        assert isinstance(error.value, REFUSALS)


@pytest.mark.parametrize(
    "name", ["minisign-3.pub", "minisign-.pub", "MINISIGN.pub", "gpg-" + "A" * 40 + ".asc"]
)
def test_a_key_file_that_the_registry_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(UntrustedKey) as error:
        load({**known_files(), name: known_files()["minisign.pub"]})
    assert error.value.code == "KEY-2/key-file"


def test_a_key_file_under_the_name_of_another_is_refused() -> None:
    files = known_files()
    for name in ("minisign.pub", "minisign-2.pub"):
        with pytest.raises(UntrustedKey):
            load({**files, name: files["minisign-1.pub"]})


def test_key_files_may_be_missing() -> None:
    files = known_files()
    assert load({n: files[n] for n in (REGISTRY_NAME, SIGNATURE)}) == known_registry()


def test_spoilt_registries_are_refused_or_keep_every_rule() -> None:
    chance, tally = random.Random(3), Tally()
    for _ in range(TRIES):
        try_one(chance, tally)
    assert tally.tried == TRIES
    assert tally.refused > 0.8 * TRIES
    assert tally.lawful > 0  # the rules are reached, not only the signature


# --- each rule by itself ------------------------------------------------------------------------


def refused(registry: Registry, why: str) -> None:
    """Signed by the right key, and refused all the same."""
    data = encode_record(registry)
    with pytest.raises(FormatError, match=why):
        load({REGISTRY_NAME: data, SIGNATURE: signed(data, 2)})


def replaced(**fields: Any) -> Registry:
    return msgspec.structs.replace(known_registry(), **fields)


def with_keys(change: Callable[[Registry], list[Any]]) -> Registry:
    return replaced(keys=tuple(change(known_registry())))


def test_two_active_keys_of_one_system_are_refused() -> None:
    refused(with_keys(lambda r: [*r.keys, real_key(3)]), "two active")


def test_rehearsal_keys_among_real_ones_are_refused() -> None:
    practice = altered(real_key(3), state=KeyState.REHEARSAL, rehearsed_state=KeyState.RETIRED)
    refused(with_keys(lambda r: [*r.keys, practice]), "mixes rehearsal")


def test_a_certificate_of_another_key_is_refused() -> None:
    """Else ``gpg-FINGERPRINT.asc`` would hold another key than it says."""
    swapped = altered(openpgp_key(1), state=KeyState.RETIRED, public_key=certificate(2))
    refused(with_keys(lambda r: [r.keys[0], swapped, r.keys[2]]), "not the ID of its public key")


def test_a_secret_key_is_never_taken_for_a_certificate() -> None:
    secret = certificate(1).replace("PUBLIC", "PRIVATE")
    leaked = altered(openpgp_key(1), state=KeyState.RETIRED, public_key=secret)
    refused(with_keys(lambda r: [r.keys[0], leaked, r.keys[2]]), "not one armored block")


@pytest.mark.parametrize("field", ["created_at", "expires_at", "state_since"])
@pytest.mark.parametrize(
    "time",
    [
        datetime(1, 1, 1, tzinfo=FIRST_TIME.tzinfo),
        FIRST_TIME - timedelta(seconds=1),
        LAST_TIME + timedelta(seconds=1),
        datetime(9999, 12, 31, tzinfo=FIRST_TIME.tzinfo),
        datetime(2026, 6, 1, tzinfo=None),
        datetime(2026, 6, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_an_absurd_date_is_refused(field: str, time: datetime) -> None:
    changed = altered(known_registry().keys[1], **{field: time})
    refused(with_keys(lambda r: [r.keys[0], changed, r.keys[2]]), "no time in UTC|cannot be read")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"created_at": BORN + 2 * YEAR, "expires_at": None}, "after the registry's last change"),
        ({"expires_at": BORN}, "expired before"),
        ({"state_since": BORN - YEAR}, "outside of its life"),
        ({"state_since": BORN + 2 * YEAR}, "outside of its life"),
        (
            {"state": KeyState.COMPROMISED, "do_not_trust_after": BORN - YEAR},
            "outside of its life",
        ),
    ],
)
def test_a_life_in_another_order_is_refused(fields: dict[str, Any], why: str) -> None:
    changed = altered(known_registry().keys[1], **fields)
    refused(with_keys(lambda r: [r.keys[0], changed, r.keys[2]]), why)


@pytest.mark.parametrize(
    "fields", [{"serial": -1}, {"project": ""}, {"project": "\x1b[2J"}, {"project": "P\u202eI"}]
)
def test_a_registry_of_no_project_is_refused(fields: dict[str, Any]) -> None:
    refused(replaced(**fields), "project or its serial")


def test_the_first_and_the_last_time_are_times() -> None:
    check_registry(
        Registry(
            project="PAI",
            serial=1,
            changed_at=BORN,
            keys=(altered(openpgp_key(1), created_at=FIRST_TIME, expires_at=LAST_TIME),),
        )
    )


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"keys":' * 100_000,
        b'{"format": 1, "keys": [' + b"{}," * 100_000,
        b" " * (MAX_REGISTRY_BYTES + 1),
        b"9" * 100_000,
        b'"' + b"\\u0000" * 100_000 + b'"',
    ],
    ids=["brackets", "objects", "list", "too large", "number", "string"],
)
def test_huge_and_deep_files_are_refused_at_once(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_registry(data)


@pytest.mark.parametrize("field", ["serial", "state", "manifest_sha256", "created_at"])
def test_a_doubled_field_is_refused_wherever_it_stands(field: str) -> None:
    """A reader that takes the first, and one that takes the last, would see two registries."""
    data = encode_record(known_registry())
    start = data.index(b'"%s"' % field.encode())
    end = data.index(b"\n", start) + 1
    for doubled in (data[:start] + data[start:end] + data[start:], data[:end] + data[start:]):
        with pytest.raises(FormatError):
            load({REGISTRY_NAME: doubled, SIGNATURE: signed(doubled, 2)})
