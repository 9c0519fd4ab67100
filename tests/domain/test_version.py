"""Versions as SemVer 2.0.0 has them, by the specification's own examples (POL-1, POL-3)."""

import itertools

import pytest

from pai_signer.domain.version import MAX_LENGTH, parse_version
from pai_signer.errors import UsageError

#: semver.org, items 9 and 10, and its suggested test strings.
VALID = [
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-0.3.7",
    "1.0.0-x.7.z.92",
    "1.0.0-x-y-z.--",
    "1.0.0-alpha+001",
    "1.0.0+20130313144700",
    "1.0.0-beta+exp.sha.5114f85",
    "1.0.0+21AF26D3----117B344092BD",
    "1.0.0-0A.is.legal",
    "2.0.0-rc.1+build.123",
    "1.0.0-alpha0.valid",
]
INVALID = [
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-1.0.3-gamma+b7718",
    "1.2.3-",
    "1.2.3-a..b",
    "1.2.3+a+b",
    "1.2.3-a_b",
    "1.2.3\n",
    " 1.2.3",
    "1.2.3 ",
    "1.2.\u0663",
    "1.2.3-\u00e4",
    "1.2.3/../4",
    "9999999999.0.0",
    "1.0.0-" + "a" * MAX_LENGTH,
]


@pytest.mark.parametrize("text", VALID)
def test_a_valid_version_keeps_its_spelling(text: str) -> None:
    assert str(parse_version(text)) == text


@pytest.mark.parametrize("text", INVALID)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_version(text)
    assert error.value.code == "POL-1/semver"
    assert "\n" not in error.value.summary


def test_the_order_of_the_specifications_item_11() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "2.0.0",
        "10.0.0",
    ]
    versions = [parse_version(text) for text in ordered]
    for lower, higher in itertools.combinations(versions, 2):
        assert lower < higher
        assert not higher < lower
        assert lower != higher


def test_numeric_identifiers_sort_below_words() -> None:
    assert parse_version("1.0.0-999") < parse_version("1.0.0-a")


def test_build_metadata_does_not_order() -> None:
    one, other = parse_version("1.0.0+a"), parse_version("1.0.0+b")
    assert not one < other
    assert not other < one
    assert one == other
    assert hash(one) == hash(other)
    assert one.text != other.text  # and stays another name
