"""What is live against what was signed: every way to differ, and what is not known (EXP-5)."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from pai_signer.domain.confirmation import (
    Compared,
    LiveContent,
    SignedContent,
    Verdict,
    compare_live,
    parse_live_refs,
    parse_live_sums,
)
from pai_signer.errors import FormatError

A, B, C, D = (letter * 64 for letter in "abcd")
OID, COMMIT, OTHER = ("1" * 40, "2" * 40, "3" * 40)
ISO, BIG, SUMS = "pai-1.0.0-amd64.iso", "pai-1.0.0-arm64.iso", "SHA256SUMS"
REF = "refs/tags/v1.0.0"
SIGNED = SignedContent(
    artifacts={ISO: A, BIG: B},
    files={SUMS: C},
    companions={"UPLOAD.md": D},
    tag_name="v1.0.0",
    tag_oid=OID,
    commit=COMMIT,
)
ALL = {ISO: A, BIG: B, SUMS: C}
REFS = {REF: OID, f"{REF}^{{}}": COMMIT}


def compare(signed: SignedContent = SIGNED, /, **live: Any) -> dict[str, Compared]:
    given = {"read": {}, "listed": ALL, "refs": REFS, **live}
    compared = compare_live(signed, LiveContent(**given))
    assert len({each.name for each in compared}) == len(compared)
    return {each.name: each for each in compared}


def test_all_the_same_by_list_or_by_bytes() -> None:
    for live in ({}, {"read": ALL, "listed": None}, {"read": {ISO: A}}):
        compared = compare(**live)
        assert set(compared) == {*ALL, "tag v1.0.0"}
        assert {each.verdict for each in compared.values()} == {Verdict.SAME}
    assert (compared[ISO].how, compared[BIG].how) == ("read", "listed")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("how", ["read", "listed"])
def test_one_other_byte_anywhere_is_a_difference(name: str, how: str) -> None:
    live = {"read": ALL} if how == "read" else {}
    compared = compare(**{**live, how: {**ALL, name: D}})
    found = compared.pop(name)
    assert found.verdict is Verdict.DIFFERENT
    assert (found.signed, found.live) == (ALL[name], D)
    assert {each.verdict for each in compared.values()} == {Verdict.SAME}


def test_bytes_and_list_that_differ_are_a_difference_though_one_is_right() -> None:
    for read, listed in ((A, D), (D, A)):
        found = compare(read={ISO: read}, listed={**ALL, ISO: listed})[ISO]
        assert (found.verdict, found.live) == (Verdict.DIFFERENT, D)


def test_what_a_list_does_not_have_is_not_live() -> None:
    assert compare(listed={ISO: A, BIG: B})[SUMS].verdict is Verdict.MISSING


def test_without_a_list_what_was_not_brought_is_not_known() -> None:
    compared = compare(read={ISO: A, SUMS: C}, listed=None)
    assert compared[BIG].verdict is Verdict.UNKNOWN


def test_what_the_release_page_cannot_hold_has_to_be_brought() -> None:
    signed = replace(SIGNED, too_large=frozenset({BIG}))
    listed = {ISO: A, SUMS: C}
    assert compare(signed, listed=listed)[BIG].verdict is Verdict.UNKNOWN
    assert compare(signed, listed=listed, read={BIG: B})[BIG].verdict is Verdict.SAME
    assert compare(signed, listed=listed, read={BIG: D})[BIG].verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    "live", [{"listed": {**ALL, "evil.iso": D}}, {"loose": ("evil.iso",)}], ids=["listed", "read"]
)
def test_what_was_never_signed_is_a_difference(live: dict[str, Any]) -> None:
    assert compare(**live)["evil.iso"].verdict is Verdict.UNSIGNED


def test_what_was_exported_beside_it_is_ours_while_it_is_as_exported() -> None:
    assert compare(read={"UPLOAD.md": D})["UPLOAD.md"].verdict is Verdict.SAME
    assert compare(read={"UPLOAD.md": A})["UPLOAD.md"].verdict is Verdict.UNSIGNED


def test_what_could_not_be_opened_is_not_known_though_a_list_has_it() -> None:
    compared = compare(refused={ISO: "it is a symbolic link", "x\\x1b": "odd"})
    assert compared[ISO].verdict is Verdict.UNKNOWN
    assert compared["x\\x1b"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("refs", "verdict"),
    [
        ({REF: OID}, Verdict.SAME),
        (None, Verdict.UNKNOWN),
        ({}, Verdict.MISSING),
        ({"refs/tags/v1.0.1": OID}, Verdict.MISSING),
        ({REF: OTHER}, Verdict.DIFFERENT),
        ({REF: COMMIT}, Verdict.DIFFERENT),  # a tag without an object: nothing is signed
        ({REF: OID, f"{REF}^{{}}": OTHER}, Verdict.DIFFERENT),
    ],
)
def test_the_tag(refs: dict[str, str] | None, verdict: Verdict) -> None:
    assert compare(refs=refs)["tag v1.0.0"].verdict is verdict


def test_a_tag_that_was_not_signed_here_is_not_compared() -> None:
    assert "tag v1.0.0" not in compare(replace(SIGNED, tag_oid=None), refs=None)


SIDE = f"{ISO}.sha256"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{A}  {ISO}\n", Verdict.SAME),
        (f"{A.upper()} *{ISO}\r\n", Verdict.SAME),
        (f"{A}\n", Verdict.SAME),
        (f"{D}  {ISO}\n", Verdict.DIFFERENT),
        (f"{A}  {BIG}\n", Verdict.DIFFERENT),
        ("nonsense\n", Verdict.DIFFERENT),
    ],
)
def test_a_side_file_says_what_was_signed(text: str, verdict: Verdict) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    live = {"read": {SIDE: digest}, "side_files": {SIDE: text.encode()}}
    assert compare(**live)[SIDE].verdict is verdict
    assert compare(**live, listed={**ALL, SIDE: digest})[SIDE].verdict is verdict
    assert compare(**live, listed={**ALL, SIDE: D})[SIDE].verdict is Verdict.DIFFERENT


def test_a_side_file_that_is_only_listed_is_known_in_its_usual_form_alone() -> None:
    usual = hashlib.sha256(f"{A}  {ISO}\n".encode()).hexdigest()
    assert compare(listed={**ALL, SIDE: usual})[SIDE].verdict is Verdict.SAME
    assert compare(listed={**ALL, SIDE: D})[SIDE].verdict is Verdict.UNKNOWN


def test_differences_come_first_then_what_is_not_known() -> None:
    live = LiveContent(read={}, listed={ISO: D, SUMS: C}, refs=None)
    verdicts = [each.verdict for each in compare_live(SIGNED, live)]
    assert verdicts == [Verdict.DIFFERENT, Verdict.MISSING, Verdict.UNKNOWN, Verdict.SAME]


def test_lists_as_the_stock_tools_write_them() -> None:
    assert parse_live_sums(f"{A}  {ISO}\n{C}  {SUMS}\n".encode()) == {ISO: A, SUMS: C}
    assert parse_live_refs(f"{OID}\t{REF}\n{COMMIT}\t{REF}^{{}}\n".encode()) == REFS
    assert parse_live_refs(b"") == {}


@pytest.mark.parametrize(
    "data", [b"", b"x\n", f"\\{A}  a\\nb\n".encode(), f"{A}  ../x\n".encode(), b"\xff\n"]
)
def test_a_list_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="EXP-5/list"):
        parse_live_sums(data)


@pytest.mark.parametrize(
    "text",
    ["\n", f"{OID} {REF}\n", f"{OID}\t{REF}\n{OTHER}\t{REF}\n", f"{OID}\ta b\n", "x\x1b\n", "\xff"],
)
def test_a_tag_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="EXP-5/tag-list"):
        parse_live_refs(text.encode())
