"""No bytes from outside do more than be read or refused: a sample of ``make fuzz``.

And the engine itself: it tells an escape, a crash, a hang and a wrong answer, and what it
keeps leads it deeper.
"""

import random
import time
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.domain.artifact import FindingLevel
from pai_signer.domain.iso import inspect_iso
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.receipt import parse_receipt
from pai_signer.errors import FormatError
from tests.fuzzing.__main__ import fuzz
from tests.fuzzing.answers import check_inside
from tests.fuzzing.engine import Campaign, Target
from tests.fuzzing.samples import samples, small_iso
from tests.fuzzing.targets import targets

pytestmark = pytest.mark.usefixtures("stock_strength")

TRIES: Final = 300


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_good_samples_are_accepted_and_spoilt_ones_read_or_refused(target: Target) -> None:
    for seed in target.seeds:
        target.check(target.parse(seed), seed)
    campaign = Campaign(target)
    campaign.run(random.Random(f"a sample of {target.name}"), TRIES)
    assert [finding.problem for finding in campaign.findings] == []
    assert campaign.tally.tried == TRIES
    assert campaign.tally.refused > 0 or not target.refusals
    assert campaign.tally.kept > 0


def test_every_sample_has_a_target() -> None:
    assert set(samples()) == {target.name for target in targets()} - {"minisig-verified"}


# --- the engine -----------------------------------------------------------------------------


def _refused(why: str) -> FormatError:
    return FormatError("TEST/x", why, "")


def campaign(parse: Any, check: Any = lambda answer, data: None) -> Campaign:
    target = Target("made up", parse, (b"hello",), (FormatError,), check)
    made = Campaign(target, max_seconds=0.2)
    made.run(random.Random(1), 3000)
    return made


def _crashing(data: bytes) -> None:
    if len(data) > 6:
        raise KeyError(data)
    raise _refused("short")


def _hanging(data: bytes) -> None:
    while len(data) > 6:
        pass


@pytest.mark.parametrize(
    ("parse", "problem"),
    [(_crashing, "KeyError"), (_hanging, "Hang: it computed for too long")],
)
def test_a_crash_and_a_hang_are_findings_told_once(parse: Any, problem: str) -> None:
    found = campaign(parse).findings
    assert 1 <= len(found) <= 3
    assert problem in found[0].problem
    assert len(found[0].data) > 6


def test_waiting_is_no_hang() -> None:
    target = Target("slow", lambda data: time.sleep(0.5), (b"",), (FormatError,), lambda *_: None)
    assert Campaign(target, max_seconds=0.2).findings == []


def test_an_answer_that_contradicts_its_bytes_is_a_finding() -> None:
    def check(answer: bytes, data: bytes) -> None:
        assert answer == data

    assert "AssertionError" in campaign(lambda data: data.strip(b"\n"), check).findings[0].problem
    assert campaign(lambda data: data, check).findings == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/x", "a\\b", "-rf", "a\nb", "a\0b", "\x1b[2J"]
)
def test_a_name_that_leads_elsewhere_is_told(name: str) -> None:
    with pytest.raises(AssertionError):
        check_inside(["fine.txt", name])


def test_new_lines_lead_deeper() -> None:
    """Four bytes in a row, found one after the other: an input has three changes at most."""
    tokens = (b"!", b"@", b"#", b"$")
    parse_deeper = Target(
        "deeper", _deeper, (b"....",), (FormatError,), lambda *_: None, tokens=tokens
    )
    made = Campaign(parse_deeper)
    chance = random.Random(2)
    for _ in range(100):
        if not made.findings:
            made.run(chance, 1000)
    assert [finding.data[:4] for finding in made.findings] == [b"!@#$"]


def _deeper(data: bytes) -> None:
    if data[:1] != b"!":
        raise _refused("first")
    if data[1:2] != b"@":
        raise _refused("second")
    if data[2:3] != b"#":
        raise _refused("third")
    if data[3:4] != b"$":
        raise _refused("fourth")
    raise RuntimeError("all four")


def test_a_campaign_goes_on_where_it_stopped_and_is_the_same_again(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    fuzz("tag", 7, 400, first)
    stopped = fuzz("tag", 7, 900, first)
    assert (stopped.tried, stopped.findings) == (900, 0)
    fuzz("tag", 7, 400, second)
    fuzz("tag", 7, 900, second)
    kept = [{file.name for file in (home / "tag/corpus").iterdir()} for home in (first, second)]
    assert kept[0] == kept[1]
    assert fuzz("tag", 7, 900, first) == stopped
    assert fuzz("tag", 8, 100, first).tried == 100


# --- what it found ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [b"[" * 2000, b"9" * 5000, b"0x" + b"f" * 9000, b"{a=" * 2000, b"-" + b"1" * 4999]
)
def test_a_profile_that_breaks_the_reader_of_toml_is_refused(value: bytes) -> None:
    with pytest.raises(FormatError, match="PROFILE/format"):
        parse_profile(samples()["profile"][0] + b"\nx = " + value + b"\n")


@pytest.mark.parametrize("head", [b"x" * 64, b"", b"AB" * 32, b"ab" * 31])
def test_a_receipt_whose_journal_head_is_none_is_refused(head: bytes) -> None:
    (good,) = samples()["receipt"]
    parse_receipt(good)
    with pytest.raises(FormatError, match="EXP-3/receipt"):
        parse_receipt(good.replace(b"0123456789abcdef" * 4, head))


def test_the_small_image_is_whole() -> None:
    image = small_iso()
    found = inspect_iso(lambda at, count: image[at : at + count], len(image), "amd64")
    assert all(finding.level is FindingLevel.NOTE for finding in found), found
    assert "boot entries: EFI and BIOS" in " | ".join(finding.text for finding in found)
