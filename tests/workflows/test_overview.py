"""What ``check`` says of the machine and of the program itself (SEC-2)."""

import dataclasses
from typing import Any

import pytest

from pai_signer.domain.host import Installation
from pai_signer.domain.page import Line, Mark
from pai_signer.workflows.overview import check_pages, host_page
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import OFFLINE


def check_lines(bench: Workbench) -> dict[str, Line]:
    return {line.label: line for page in check_pages(bench) for line in page.lines}


@pytest.mark.parametrize(
    ("change", "label", "mark"),
    [
        ({"can_hibernate": False}, "hibernation", Mark.OK),
        ({"can_hibernate": True}, "hibernation", Mark.OK),
        ({"can_hibernate": True, "swap_unencrypted": ("/dev/sda2",)}, "hibernation", Mark.FAIL),
        ({"can_hibernate": None}, "hibernation", Mark.WARN),
        ({"open_doors": ()}, "process", Mark.OK),
        ({"open_doors": ("a crash could leave a core dump",)}, "process", Mark.FAIL),
        ({"open_doors": None}, "process", Mark.FAIL),
        ({"memory_locked": True}, "memory lock", Mark.OK),
        ({"memory_locked": False}, "memory lock", Mark.WARN),
        ({"memory_locked": None}, "memory lock", Mark.WARN),
    ],
)
def test_check_tells_what_could_leak_a_secret(
    change: dict[str, Any], label: str, mark: Mark
) -> None:
    lines = {line.label: line for line in host_page(dataclasses.replace(OFFLINE, **change)).lines}
    assert lines[label].mark is mark


@dataclasses.dataclass
class Installed:
    """A program whose files are said to be so."""

    said: Installation

    def installation(self) -> Installation:
        return self.said


@pytest.mark.parametrize(
    ("change", "mark", "text"),
    [
        ({}, Mark.OK, "all 900 files"),
        ({"problems": ("a.py is gone", "b.py is gone")}, Mark.FAIL, "a.py is gone, and 1 more"),
        ({"is_recorded": False}, Mark.WARN, "from a checkout"),
    ],
)
def test_check_tells_whether_the_program_is_the_one_that_was_installed(
    empty: Workbench, change: dict[str, Any], mark: Mark, text: str
) -> None:
    whole = Installation(
        version="1.0",
        python="3.11",
        files=250,
        sha256="ab" * 32,
        recorded_files=900,
        is_recorded=True,
    )
    bench = dataclasses.replace(empty, program=Installed(dataclasses.replace(whole, **change)))
    line = check_lines(bench)["installed"]
    assert line.mark is mark
    assert text in line.text
    assert check_lines(bench)["250 files"].text == "ab" * 32
