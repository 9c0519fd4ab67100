"""Numbered prompts: on a terminal, with passphrases unseen, and from a piped script (FACE-1)."""

import os
import re
import select
import termios
import time

import pytest

from tests.cli.on_terminal import TIMEOUT_S, Terminal, alone_to_the_passphrase, terminal
from tests.cli.program import Program, raw_control_bytes
from tests.workflows.bench import PHRASES, RELEASE, downloads


@pytest.fixture
def imported(keyed: Program) -> Program:
    keyed("release", "import", downloads())
    return keyed


def pages_until(person: Terminal, prompt: str) -> None:
    """Press Enter through every page, until the question."""
    pattern = re.compile(r"\[page \d+ of \d+; Enter goes on\]")
    deadline = time.monotonic() + TIMEOUT_S
    answered = 0
    while time.monotonic() < deadline:
        flat = " ".join(person.seen.split())
        count = len(pattern.findall(flat))
        if count > answered:
            answered += 1
            person.type("")
        elif prompt in flat:
            return
        ready, _, _ = select.select([person.descriptor], [], [], 0.5)
        if ready:
            person.seen += os.read(person.descriptor, 65536).decode()
    raise AssertionError(f"{prompt!r} never came:\n{person.seen}")


def test_a_signing_by_hand_passphrases_unseen(imported: Program) -> None:
    with terminal(imported.vault, "release", "sign", RELEASE) as person:
        person.expect("say the same date and time? [number; :b back, :d discard]")
        person.type("1")
        person.expect("says no: type why it is all right")
        person.type("not yet set up")
        person.expect("Go on to the review?")
        person.type("")
        pages_until(person, "This is everything that will be signed.")
        person.type("")
        person.expect(f"Type {RELEASE} to sign it")
        person.type("v0.2.1")  # a slip: said, and asked again
        person.expect(f"It has to be exactly '{RELEASE}'")
        person.expect(f"Type {RELEASE} to sign it")
        person.type(RELEASE)
        person.passphrase("Passphrase of the minisign key", b"a slip of the finger")
        person.expect("The passphrase does not open")
        person.passphrase("Passphrase of the minisign key", PHRASES["minisign"])
        person.passphrase("Passphrase of the OpenPGP key", PHRASES["gpg"])
        person.expect(f"Receipt: {RELEASE} (all)")
        assert person.end() == 0
        for phrase in (*PHRASES.values(), b"a slip of the finger"):
            assert phrase.decode() not in person.seen
        assert raw_control_bytes(person.seen) <= {"\r"}
    assert (imported.vault / "releases" / RELEASE / "staging" / "receipt.json").exists()


def test_a_descriptor_that_is_the_terminal_is_no_place_for_a_passphrase(imported: Program) -> None:
    """What is typed there stands on the screen (SEC-2)."""
    signing = ("release", "sign", RELEASE, "--passphrase-fd", "minisign=0")
    with terminal(imported.vault, *signing) as person:
        person.expect("Descriptor 0 is a terminal, which would show the passphrase.")
        assert person.end() == 2


def test_back_asks_again_and_discard_ends(imported: Program) -> None:
    with terminal(imported.vault, "release", "sign", RELEASE) as person:
        person.expect("say the same date and time?")
        person.type("1")
        person.expect("says no: type why it is all right")
        person.type(":b")
        person.expect("say the same date and time?")
        person.type("1")
        person.expect("says no: type why it is all right")
        person.type(":d")
        person.expect("Discarded")
        assert person.end() == 6
    assert not (imported.vault / "releases" / RELEASE / "candidate.json").exists()


def test_back_at_the_very_start_is_said_and_asked_again(imported: Program) -> None:
    with terminal(imported.vault, "release", "sign", RELEASE) as person:
        person.expect("say the same date and time?")
        person.type(":b")
        person.expect("There is no earlier step to return to")
        person.expect("say the same date and time?")
        person.type(":d")
        assert person.end() == 6


def test_a_new_passphrase_is_typed_twice_until_both_agree(empty: Program) -> None:
    with terminal(empty.vault, "key", "generate", "--only", "minisign") as person:
        alone_to_the_passphrase(person)
        person.passphrase("Passphrase for the new minisign key", b"one of six words")
        person.passphrase("The same again", b"another of six words")
        person.expect("They are not the same")
        person.passphrase("Passphrase for the new minisign key", b"one of six words")
        person.passphrase("The same again", b"one of six words")
        person.expect("as heard")
        person.type("")
        person.expect("the registry is signed")
        assert person.end() == 0
        assert "one of six words" not in person.seen


def test_an_import_by_numbers(keyed: Program) -> None:
    with terminal(keyed.vault, "release", "import") as person:
        text = person.expect("Where are the downloaded files? [number;")
        number = re.findall(r"(\d+)\. a folder \(type its path\)", text)[-1]
        person.type("99")  # no such number: said, and asked again
        person.expect("It is not one of the choices")
        person.expect("Where are the downloaded files? [number;")
        person.type(number)
        person.expect("path of the folder")
        person.type(str(downloads()))
        person.expect("Read these files?")
        person.type("")
        person.expect("Commit or branch to tag")
        person.type("")
        person.expect("Is there a second, independent source for the digests?")
        person.type("1")
        person.expect(f"Imported {RELEASE}")
        assert person.end() == 0


def test_ctrl_c_at_a_prompt_keeps_finished_steps(imported: Program) -> None:
    with terminal(imported.vault, "release", "sign", RELEASE) as person:
        person.expect("say the same date and time?")
        person.type("1")
        person.expect("says no: type why it is all right")
        person.interrupt()
        person.expect("The program was interrupted")
        assert person.end() == 6
    assert (imported.vault / "releases" / RELEASE / "candidate.json").exists()


def test_ctrl_c_at_a_passphrase_gives_the_terminal_its_echo_back(empty: Program) -> None:
    with terminal(empty.vault, "key", "generate", "--only", "minisign") as person:
        alone_to_the_passphrase(person)
        person.expect("Passphrase for the new minisign key")
        deadline = time.monotonic() + TIMEOUT_S
        while termios.tcgetattr(person.descriptor)[3] & termios.ECHO:
            assert time.monotonic() < deadline
        person.interrupt()
        person.expect("The program was interrupted")
        assert termios.tcgetattr(person.descriptor)[3] & termios.ECHO
        assert person.end() == 6


# --- a script of answers on a pipe -----------------------------------------------------------


def test_a_piped_script_answers_and_secrets_come_by_descriptor(imported: Program) -> None:
    pages = "\n" * 60  # Enter through the review's pages; more than there are is fine at its end
    script = f"not yet set up\n\n{pages}"
    ended = imported(
        *("release", "sign", RELEASE, "--confirm", RELEASE),
        script=script,
        passphrases=True,
    )
    assert f"Receipt: {RELEASE}" in ended.stdout


def test_a_script_is_not_asked_twice(imported: Program) -> None:
    """A wrong line is an error, for the next one was meant for another question."""
    imported("release", "sign", RELEASE, script="maybe\n1\n", code=2)


def test_a_script_that_ends_too_early_names_the_question(keyed: Program) -> None:
    ended = keyed("release", "import", script="", code=2)
    assert "Where are the downloaded files?" in " ".join(ended.stderr.split())


def test_back_and_discard_from_a_script(imported: Program) -> None:
    imported("release", "sign", RELEASE, script="1\n:b\n1\n:d\n", code=6)
