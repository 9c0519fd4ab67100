"""The safe-name rule (IMP-2)."""

import re

import pytest

from pai_signer.domain.names import check_name, find_twins, why_unsafe
from pai_signer.errors import PolicyRefused

HOSTILE = {
    "": "empty",
    "a" * 201: "longer",
    "pai\x1b[2J.iso": "characters",
    "pai\n.iso": "characters",
    "pai\t.iso": "characters",
    "pai\\.iso": "characters",
    "pai\u202egnp.iso": "characters",
    "a[/b].iso": "characters",
    "[@click=app.quit].iso": "characters",
    "pai 1.iso": "characters",
    "p\u00e4i.iso": "characters",
    "pai\udcff.iso": "characters",
    "dir/pai.iso": "characters",
    "-rf.iso": "hyphen",
    ".hidden": "dot",
    "..": "dot",
    "pai..iso": "two dots",
    "pai.iso.": "FAT drops",
    "CON": "reserved",
    "nul.iso": "reserved",
    "Com1.tar.gz": "reserved",
}


@pytest.mark.parametrize("name", ["pai-0.2.0-amd64.iso", "SHA256SUMS", "a", "a+b_c.d-e", "a" * 200])
def test_ordinary_names_pass(name: str) -> None:
    assert why_unsafe(name) is None
    check_name(name)


@pytest.mark.parametrize(("name", "why"), HOSTILE.items())
def test_hostile_names_are_refused_and_shown_escaped(name: str, why: str) -> None:
    assert why in (why_unsafe(name) or "")
    with pytest.raises(PolicyRefused) as caught:
        check_name(name)
    assert caught.value.code == "IMP-2/name"
    assert caught.value.summary.isprintable()


def test_a_name_that_only_starts_like_a_reserved_one_passes() -> None:
    assert why_unsafe("console.iso") is None
    assert why_unsafe("com10.iso") is None


def test_a_profile_can_narrow_the_rule_but_not_widen_it() -> None:
    assert why_unsafe("other.iso", re.compile(r"pai-.*")) == (
        "the name is outside the profile's safe set"
    )
    assert why_unsafe("a b", re.compile(r".*")) is not None


def test_twins_differ_only_in_case() -> None:
    assert find_twins(["a", "b", "A", "c", "B", "a"]) == (("A", "a"), ("B", "b"))
    assert find_twins(["a", "a", "b"]) == ()
