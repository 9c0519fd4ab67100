"""Requirements are cited where they are met and where they are tested; errors answer FACE-4."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import pai_signer

PACKAGE: Final = Path(pai_signer.__file__).parent
TESTS: Final = Path(__file__).parent

#: Every requirement of PRODUCT.md by its family, with how many there are.
FAMILIES: Final = {
    "IMP": 7,
    "POL": 9,
    "REV": 2,
    "SIG": 6,
    "EXP": 5,
    "KEY": 6,
    "CUS": 4,
    "JRN": 2,
    "SEC": 4,
    "FACE": 5,
    "VER": 2,
}
#: What has no code yet; ``docs/assurance.md`` says so too.
NOT_YET: Final = {"EXP-4", "EXP-5"}
REQUIREMENTS: Final = tuple(
    name
    for family, count in FAMILIES.items()
    for name in (f"{family}-{n}" for n in range(1, count + 1))
    if name not in NOT_YET
)
#: Codes of what no single requirement asks for: our own files, and refusals that several rules
#: share. ``POL/`` is about waivers, ``IMP/`` about an import that is not there.
PREFIXES: Final = {"FORMAT", "PROFILE", "POL", "IMP"}
FAMILIES_OF_ERRORS: Final = {
    "UsageError",
    "PolicyRefused",
    "CustodyError",
    "FormatError",
    "DigestMismatch",
    "BadSignature",
    "UntrustedKey",
    "JournalTampered",
    "CannotTell",
    "ToolError",
    "MediumError",
    "Cancelled",
    "SignerError",
}


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def is_cited_in(path: Path, requirement: str) -> bool:
    """Whether a file names it, by itself or within a range (``POL-1 to POL-9``)."""
    text = path.read_text()
    family, number = requirement.split("-")
    return bool(re.search(rf"\b{requirement}\b", text)) or any(
        int(low) <= int(number) <= int(high)
        for low, high in re.findall(rf"\b{family}-(\d+) to {family}-(\d+)\b", text)
    )


def citing(folder: Path, requirement: str) -> list[str]:
    """Every file that cites it, but for this one and the one that judges the assurance cases."""
    own = {Path(__file__), Path(__file__).with_name("test_assurance.py")}
    return [
        str(path.relative_to(folder))
        for path in sources(folder)
        if path not in own and is_cited_in(path, requirement)
    ]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_requirement_is_cited_in_the_code(requirement: str) -> None:
    assert citing(PACKAGE, requirement)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_requirement_is_cited_in_a_test(requirement: str) -> None:
    assert citing(TESTS, requirement)


# --- errors (FACE-4) -----------------------------------------------------------------------


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every call that makes an error of ours, with its place."""
    for path in sources(PACKAGE):
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in FAMILIES_OF_ERRORS:
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


ERRORS: Final = dict(raised())


def literal_start(node: ast.expr) -> str | None:
    """The literal text at the start of a string; None where it begins with a value."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            return text
        case _:
            return None


def test_there_are_errors_to_look_at() -> None:
    assert len(ERRORS) > 150


@pytest.mark.parametrize("place", ERRORS)
def test_an_error_has_a_code_that_cites_a_requirement(place: str) -> None:
    code = literal_start(ERRORS[place].args[0])
    if code is None:
        return  # begins with the requirement that the caller names: see the next test
    prefix = code.partition("/")[0]
    family, _, number = prefix.partition("-")
    known = prefix in PREFIXES or (
        family in FAMILIES and number.isdecimal() and 0 < int(number) <= FAMILIES[family]
    )
    assert known, code
    names_its_case = isinstance(ERRORS[place].args[0], ast.JoinedStr) or code.partition("/")[2]
    assert names_its_case, f"{code} names no case"


def test_a_code_that_a_caller_completes_cites_a_requirement_too() -> None:
    """``f"{requirement}/symlink"``: every ``requirement=`` in the package is one."""
    given = [
        keyword.value.value
        for path in sources(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "requirement" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(given) > 10
    for requirement in given:
        family, _, number = str(requirement).partition("-")
        assert family in FAMILIES
        assert 0 < int(number) <= FAMILIES[family]


@pytest.mark.parametrize("place", ERRORS)
def test_an_error_says_what_happened_and_what_to_do(place: str) -> None:
    call = ERRORS[place]
    given = [*call.args, *(k.value for k in call.keywords if k.arg in ("summary", "hint"))]
    assert len(given) >= 3, "code, summary and hint"
    for text in given[1:3]:
        if isinstance(text, ast.Constant):
            assert isinstance(text.value, str)
            assert len(text.value.strip()) > 5
