"""The assurance cases are true: each claim has a place in the code, a test, and a refusal.

``pai_signer/docs/assurance.md`` has one case for each requirement; ``threats.md`` says against
whom, and ``secrets.md`` where each secret lives. All is parsed strictly, and what it names has to
be there.
"""

import ast
import functools
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from tests.test_requirements import (
    PACKAGE,
    REQUIREMENTS,
    TESTS,
    is_cited_in,
)

ASSURANCE: Final = (PACKAGE / "docs" / "assurance.md").read_text()
THREATS: Final = (PACKAGE / "docs" / "threats.md").read_text()
SECRETS: Final = (PACKAGE / "docs" / "secrets.md").read_text()
ROOTS: Final = {"check": PACKAGE, "shown": TESTS, "refused": TESTS, "tried": TESTS}
#: Families of which each requirement stands against some attacker.
AGAINST: Final = {"IMP", "POL", "SIG", "EXP", "KEY", "CUS", "JRN", "SEC", "VER"}

_HEADING: Final = re.compile(r"### ([A-Z]+-\d+)")
_EVIDENCE: Final = re.compile(r"- (check|shown|refused|tried): `([a-z0-9_/]+\.py)` `(\w+)`")
_ID: Final = re.compile(r"\b(?:IMP|POL|REV|SIG|EXP|KEY|CUS|JRN|SEC|FACE|VER)-\d+\b")
#: How a test says that something is refused, found out or failed.
_REFUSAL: Final = re.compile(
    r"raises\(|\brefus\w*\(|\.code\b|exit_code|returncode == (?:[1-9]|EXIT_)"
    r"|code=(?:[1-9]|EXIT_[A-Z]+)|\.problems\b|\bFAIL\b"
)

Evidence = tuple[str, str, str]


def parse(text: str) -> dict[str, tuple[str, list[Evidence]]]:
    """Claim and evidence by requirement; ``ValueError`` for a line of a case that is neither."""
    cases: dict[str, tuple[str, list[Evidence]]] = {}
    current = ""
    for line in text.splitlines():
        if heading := _HEADING.fullmatch(line):
            current = heading[1]
            if current in cases:
                raise ValueError(f"{current} stands there twice")
            cases[current] = ("", [])
        elif line.startswith("#"):
            current = ""
        elif current and (found := _EVIDENCE.fullmatch(line)):
            cases[current][1].append((found[1], found[2], found[3]))
        elif current and line.startswith("-"):
            raise ValueError(f"{current}: no evidence: {line}")
        elif current and line:
            cases[current] = (f"{cases[current][0]} {line}".strip(), cases[current][1])
    return cases


CASES: Final = parse(ASSURANCE)
ALL: Final = [(name, evidence) for name, (_, each) in CASES.items() for evidence in each]


@functools.cache
def defined(path: Path) -> dict[str, str]:
    """Every function and class of a file by its name, with its source and decorators."""
    text = path.read_text()
    lines = text.splitlines()
    found: dict[str, str] = defaultdict(str)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] += "\n".join(lines[first - 1 : node.end_lineno])
    return dict(found)


def with_helpers(path: Path, name: str) -> str:
    """The source of a test, and of what it calls in its own file."""
    functions = defined(path)
    helpers = {
        other
        for other in functions
        if other != name and re.search(rf"\b{other}\(", functions[name])
    }
    return "\n".join(functions[each] for each in (name, *sorted(helpers)))


def test_each_requirement_that_is_built_has_a_case_and_no_other() -> None:
    assert list(CASES) == [name for name in CASES if name in REQUIREMENTS]
    assert set(CASES) == set(REQUIREMENTS)


@pytest.mark.parametrize("requirement", CASES)
def test_a_case_has_a_claim_a_check_a_test_and_a_refusal(requirement: str) -> None:
    claim, evidence = CASES[requirement]
    assert len(claim) > 30
    kinds = defaultdict(set)
    for kind, file, name in evidence:
        kinds[kind].add((file, name))
    assert set(kinds) >= {"check", "shown", "refused"}
    assert not kinds["shown"] & kinds["refused"]


@pytest.mark.parametrize(("requirement", "evidence"), ALL, ids=str)
def test_what_a_case_names_is_there_and_cites_the_requirement(
    requirement: str, evidence: Evidence
) -> None:
    kind, file, name = evidence
    path = ROOTS[kind] / file
    assert name in defined(path), f"{file} defines no {name}"
    assert kind == "check" or name.startswith("test_")
    assert is_cited_in(path, requirement), f"{file} does not cite {requirement}"


@pytest.mark.parametrize(
    ("requirement", "evidence"), [each for each in ALL if each[1][0] == "refused"], ids=str
)
def test_a_test_of_a_refusal_looks_for_one(requirement: str, evidence: Evidence) -> None:
    _, file, name = evidence
    assert _REFUSAL.search(with_helpers(TESTS / file, name)), f"{name} refuses nothing"


@pytest.mark.parametrize(
    "text",
    [
        "### POL-4\n\nA claim.\n\n- check: domain/policy.py\n",
        "### POL-4\n\n- proof: `a.py` `b`\n",
        "### POL-4\n\n### POL-4\n",
    ],
)
def test_a_case_that_is_malformed_is_noticed(text: str) -> None:
    with pytest.raises(ValueError, match="POL-4"):
        parse(text)


# --- the life of secrets ----------------------------------------------------------------------


def places(text: str) -> dict[str, str]:
    """Each place of the page on secrets, with what is said of it."""
    sections = re.split(r"^### (.+)$", text.partition("## Each place")[2], flags=re.MULTILINE)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))


@pytest.mark.parametrize("place", places(SECRETS))
def test_a_place_of_secrets_names_a_test_and_what_is_not_claimed(place: str) -> None:
    section = places(SECRETS)[place]
    assert re.search(r"^- not claimed: .{20}", section, re.MULTILINE)
    assert re.search(r"^- shown: ", section, re.MULTILINE)


@pytest.mark.parametrize("line", [x for x in SECRETS.splitlines() if x.startswith("- shown")])
def test_each_test_of_the_page_on_secrets_is_there(line: str) -> None:
    found = _EVIDENCE.fullmatch(line)
    assert found is not None, line
    assert found[3].startswith("test_")
    assert found[3] in defined(TESTS / found[2])


def test_the_page_on_secrets_covers_all_that_python_cannot_wipe() -> None:
    assert len(places(SECRETS)) > 8
    for part in ("Textual", "py-minisign", "scrypt", "gpg", "line buffer", "small objects", "pipe"):
        assert part in SECRETS


# --- threats ---------------------------------------------------------------------------------


def threats() -> dict[str, str]:
    sections = re.split(r"^## (T\d+: .+)$", THREATS, flags=re.MULTILINE)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))


@pytest.mark.parametrize("title", threats())
def test_a_threat_says_what_stops_it_and_what_is_not_claimed(title: str) -> None:
    section = threats()[title]
    stopped = re.findall(r"^- stopped by: (.+(?:\n  .+)*)", section, re.MULTILINE)
    assert stopped
    for line in stopped:
        assert set(_ID.findall(line)) <= set(CASES)
        assert _ID.findall(line)
    assert re.search(r"^- not claimed: .{20}", section, re.MULTILINE)


def test_every_attacker_of_the_project_is_there() -> None:
    titles = " ".join(threats())
    for attacker in (
        *("hostile download", "stick", "CI taken over", "stolen laptop", "stolen backup"),
        *("dishonest maintainer", "tired honest maintainer"),
    ):
        assert attacker in titles


def test_every_claim_stands_against_somebody() -> None:
    named = {name for section in threats().values() for name in _ID.findall(section)}
    unused = {name for name in CASES if name.partition("-")[0] in AGAINST} - named
    assert unused == set()
