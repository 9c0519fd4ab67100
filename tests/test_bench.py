"""The benchmarks still run: their quick form, judged by its shape and never by its times."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = r"\d+\.\d{3}"

RATIOS = [
    "pai-signer release import / cp; sha256sum; minisign -S; sha256sum",
    "pai-signer release import / openssl dgst -sha256",
    "pai-signer release import / b2sum",
    "read_once, both digests / cp; sha256sum; minisign -S; sha256sum",
    "read_once, both digests / openssl dgst -sha256",
    "read_once, both digests / b2sum",
    "pai-signer verify / openssl dgst -sha256",
    "first paint / bare Textual hello",
    "journal of 1,000 entries / journal of 100 entries",
    "registry of 200 keys / registry of 20 keys",
    "index of 1,000 releases / index of 100 releases",
]


@pytest.mark.slow
def test_the_quick_bench_prints_every_ratio_with_its_spread() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench",
            "--size-mb",
            "1",
            "--rounds",
            "1",
            "--entries",
            "1000",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "page cache warm" in done.stdout
    row = re.compile(rf"^(\S.*?) +({NUMBER}) +({NUMBER}) +({NUMBER})$", re.MULTILINE)
    rows = {label: tuple(map(float, spread)) for label, *spread in row.findall(done.stdout)}
    assert [label for label in rows if " / " in label] == RATIOS
    assert {"pai-signer --help (processor time)", "pai-signer journal verify (processor time)"} <= (
        rows.keys()
    )
    for least, median, most in rows.values():
        assert 0 < least <= median <= most


def test_the_bench_refuses_to_measure_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--rounds", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "start at 1" in done.stderr
