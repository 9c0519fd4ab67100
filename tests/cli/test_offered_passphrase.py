"""A new passphrase on the command line: offered where no scrollback keeps it (KEY-1, SEC-2)."""

import itertools
import re
from pathlib import Path
from typing import Final

import pytest

from pai_signer.errors import EXIT_CANCELLED, EXIT_REFUSED
from tests.cli.on_terminal import Terminal, alone_to_the_passphrase, terminal
from tests.cli.program import STOCK, WEAK, Program
from tests.cli.weak_program import STRICT
from tests.workflows.bench import new_vault

STRICTLY: Final = (*WEAK, STRICT)
GENERATE: Final = ("key", "generate", "--only", "minisign")
PROMPT: Final = "Passphrase for the new minisign key"
OPENS: Final = {"xterm": "\x1b[?1049h", "linux": "\x1b[H\x1b[J"}
CLOSES: Final = {"xterm": "\x1b[?1049l", "linux": "\x1b[H\x1b[J\x1b[3J"}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return new_vault(tmp_path / "vault")


def read_the_words(person: Terminal) -> str:
    """What a person writes on paper, before pressing Enter."""
    person.expect("Write these words on paper now")
    shown = person.expect("Enter hides them")
    words = re.search(r"(?:[a-z-]+ ){5}[a-z-]+(?= Type them)", shown)
    assert words is not None, shown
    person.type("")
    return words[0]


@pytest.mark.parametrize("term", OPENS)
def test_offered_words_are_seen_on_a_screen_of_their_own_and_nowhere_else(
    vault: Path, term: str
) -> None:
    with terminal(vault, *GENERATE, term=term, command=STRICTLY) as person:
        alone_to_the_passphrase(person)
        words = read_the_words(person)
        person.passphrase(PROMPT, b"too short")
        person.expect("Too weak: it is shorter than 16 characters")
        assert read_the_words(person) == words
        person.passphrase(PROMPT, words.encode())
        person.passphrase("The same again", words.encode())
        person.expect("as heard")
        person.type("")
        person.expect("the registry is signed")
        assert person.end() == 0
    outside = re.sub(
        f"{re.escape(OPENS[term])}.*?{re.escape(CLOSES[term])}", "", person.seen, flags=re.DOTALL
    )
    assert person.seen.count(words) == 2
    assert words not in outside
    # One word alone may well stand in the program's own sentences; two in a row do not.
    for pair in itertools.pairwise(words.split()):
        assert " ".join(pair) not in " ".join(outside.split())
    for path in vault.rglob("*"):
        if path.is_file():
            assert words.encode() not in path.read_bytes(), path
    (transcript,) = vault.glob("ceremonies/*/transcript.json")
    assert "(secret)" in transcript.read_text()


@pytest.mark.parametrize("term", ["dumb", "vt100", "no-such-terminal"])
def test_a_terminal_that_could_keep_them_is_offered_none_and_says_why(
    vault: Path, term: str
) -> None:
    with terminal(vault, *GENERATE, term=term, command=STRICTLY) as person:
        alone_to_the_passphrase(person)
        person.expect("No words are offered: this terminal could keep them. Roll dice for six")
        person.passphrase(PROMPT, b"unwed 7 tapestry vocal grub elf")
        person.passphrase("The same again", b"unwed 7 tapestry vocal grub elf")
        person.expect("as heard")
        person.type("")
        person.expect("the registry is signed")
        assert person.end() == 0
    assert "\x1b" not in person.seen


def test_ctrl_c_over_the_words_leaves_none_on_the_screen(vault: Path) -> None:
    with terminal(vault, *GENERATE, term="xterm", command=STRICTLY) as person:
        alone_to_the_passphrase(person)
        person.expect("Enter hides them")
        person.interrupt()
        person.expect("The program was interrupted")
        assert person.end() == EXIT_CANCELLED
    assert person.seen.index(CLOSES["xterm"]) > person.seen.index("Enter hides them")


def test_a_weak_one_by_descriptor_is_refused_and_makes_no_key(vault: Path) -> None:
    program = Program(vault, command=STOCK, phrases={"minisign": b"correct horse battery staple"})
    ended = program(*GENERATE, passphrases=True, as_json=True, code=EXIT_REFUSED)
    error = ended.json["error"]
    assert error["code"] == "KEY-1/weak-passphrase"
    assert "only 4 words" in error["summary"]
    assert "correct horse" not in ended.text
    assert not list(vault.glob("keys/minisign/*"))
    assert not list(vault.glob("keys/registry/*"))
