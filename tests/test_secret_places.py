"""Every place that a passphrase passes takes it as a ``Secret``; each use of one is known (SEC-2).

A new place fails here first: it has to be looked at, and ``docs/secrets.md`` to be told of it.
"""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "pai_signer"

#: Who looks into a secret, and how often: each one reads the live buffer where it lies.
REVEALED: Final = Counter(
    {
        "adapters/minisign_secret.py": 1,  # hands it to scrypt
        "adapters/passphrases.py": 2,  # judges it
        "adapters/process.py": 1,  # writes it to a child's pipe
        "domain/secret.py": 2,  # joins lines into another secret
        "faces/cli/passphrases.py": 1,  # shows offered words
        "faces/tui/widgets/offered_words.py": 1,  # shows offered words
        "workflows/keys/rotation_steps.py": 1,  # one more secret, of the backup's step
        "workflows/rehearse.py": 1,  # throwaway words of practice keys
    }
)
#: What is named like passphrases, and says under which names the session holds them.
NAMES_ONLY: Final = {
    ("workflows/custody/making.py", "passphrases"),
    ("workflows/custody/prove_medium.py", "passphrases"),
}
#: Throwaway words of practice keys, which are no secret (FACE-5).
PRACTICE: Final = {
    "workflows/rehearse.py",
    "workflows/rehearse_ceremonies.py",
    "workflows/rehearse_custody.py",
}
_NAMED: Final = re.compile(r"(.*_)?(pass)?phrases?|.*password.*")
#: Immutable text of what somebody typed, which nobody can wipe.
_IMMUTABLE: Final = ("getpass", "input")


@functools.cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return tuple((p.relative_to(PACKAGE).as_posix(), ast.parse(p.read_text())) for p in paths)


def declared(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every parameter and field that is named like a passphrase, with its type."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as kind):
                yield name, ast.unparse(kind)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if name.islower():
                yield name, ast.unparse(kind)


def not_secret(tree: ast.Module) -> set[str]:
    return {
        name
        for name, kind in declared(tree)
        if _NAMED.fullmatch(name) and not re.search(r"\b(Secret|Passphrases)\b", kind)
    }


def immutable_reads(tree: ast.Module) -> list[int]:
    """Lines that ask for text in a way that leaves it behind."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in _IMMUTABLE:
                found.append(node.lineno)
            case ast.Import(names=names) if any(each.name == "getpass" for each in names):
                found.append(node.lineno)
            case ast.ImportFrom(module="getpass"):
                found.append(node.lineno)
    return found


def test_whatever_is_named_like_a_passphrase_is_a_secret() -> None:
    found = {(path, name) for path, tree in sources() for name in not_secret(tree)}
    assert {each for each in found if each[0] not in PRACTICE} == NAMES_ONLY
    kinds = {kind for _, tree in sources() for name, kind in declared(tree) if "phrase" in name}
    assert "Secret" in kinds


def test_each_look_into_a_secret_is_known() -> None:
    found = Counter(
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "reveal"
    )
    assert found == REVEALED


def test_nobody_reads_what_is_typed_into_a_text_that_stays() -> None:
    found = {path: lines for path, tree in sources() if (lines := immutable_reads(tree))}
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        "def f(passphrase: str) -> None: ...",
        "def f(*, new_passphrase: bytes) -> None: ...",
        "class A:\n    phrase: bytearray",
        "def f(phrases: dict[str, bytes]) -> None: ...",
    ],
)
def test_the_search_finds_another_type(code: str) -> None:
    assert not_secret(ast.parse(code))


@pytest.mark.parametrize("code", ["import getpass", "from getpass import getpass", "x = input()"])
def test_the_search_finds_a_text_that_stays(code: str) -> None:
    assert immutable_reads(ast.parse(code))
