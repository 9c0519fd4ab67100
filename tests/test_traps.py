"""Every trap about keys has tests that hold it, and every guard stands where they look."""

import ast
from pathlib import Path
from typing import Final

import pytest

import pai_signer
from tests.traps import TRAPS, Guard, Trap

PACKAGE: Final = Path(pai_signer.__file__).parent
TESTS: Final = Path(__file__).parent
TOOLS: Final = {"gpg", "gpgconf", "git", "lsblk", "findmnt", "prlimit", "umount", "udisksctl"}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.text)
def test_a_trap_is_held_by_tests_that_exist(trap: Trap) -> None:
    assert trap.tests
    for name in trap.tests:
        file, _, function = name.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert function in defined, name


@pytest.mark.parametrize(
    "guard", [g for trap in TRAPS for g in trap.guards], ids=lambda g: f"{g.file}: {g.shut[:40]}"
)
def test_a_guard_stands_once_where_the_table_says(guard: Guard) -> None:
    assert (PACKAGE / guard.file).read_text().count(guard.shut) == 1
    assert guard.open not in (guard.shut, None)


def test_a_trap_without_a_guard_is_one_that_nothing_of_ours_can_step_into() -> None:
    assert [
        trap.text for trap in TRAPS if not trap.guards and "stock_tool" not in trap.tests[0]
    ] == []


def test_no_stock_tool_of_a_trap_is_ever_called() -> None:
    """``minisign -C``, ``minisign -S -p`` and ``paperkey``: only what is listed here is run."""
    called = {
        node.args[0].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"run", "find_tool"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert {"gpg", "gpgconf", "lsblk"} <= called
    assert {tool for tool in called if isinstance(tool, str)} <= TOOLS | {"gpg-agent"}
