"""``key rotate`` from flags, as a script to print, and by numbered prompts."""

import dataclasses
from pathlib import Path

import pytest

from tests.cli.program import Program

PHRASE = b"weak new phrase"
DESPITE = ("--despite", "a test machine")


def in_use(program: Program, algorithm: str) -> str:
    """The ID of the key that signs."""
    keys = program("key", "list", as_json=True).json["keys"]
    (found,) = (
        str(key["id"]) for key in keys if (key["algorithm"], key["state"]) == (algorithm, "active")
    )
    return found


def confirmed(program: Program, algorithm: str = "minisign") -> tuple[str, ...]:
    """The options that name the key in use as the one that ends."""
    return ("--confirm", in_use(program, algorithm)[-16:])


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_the_script_is_printed_and_nothing_is_begun(keyed: Program, system: str) -> None:
    text = keyed("key", "rotate", system, "--script").stdout
    assert "CEREMONY SCRIPT" in text
    assert "POINT OF NO RETURN" in text
    assert "STATEMENT OF THE WITNESS" in text
    assert not (keyed.vault / "ceremonies").exists()
    assert not list((keyed.vault / "unfinished").glob("*rotate*"))


def test_flags_alone_rotate_and_the_keys_are_published(keyed: Program, tmp_path: Path) -> None:
    rotating = dataclasses.replace(keyed, phrases={**keyed.phrases, "new": PHRASE})
    people = ("--second", "Ben", "--witness", "Wim", "--verdict", "accept")
    data = rotating(
        "key",
        "rotate",
        "minisign",
        *people,
        *DESPITE,
        *confirmed(keyed),
        passphrases=True,
        as_json=True,
    ).json
    folder = tmp_path / "public"
    folder.mkdir()
    keyed("key", "publish", folder)
    assert (folder / data["statement"]).exists()
    assert data["public_key"] in (folder / "minisign.pub").read_text()
    (ceremony,) = (keyed.vault / "ceremonies").iterdir()
    assert "Wim ACCEPTS" in (ceremony / "transcript.txt").read_text()
    assert PHRASE.decode() not in (ceremony / "transcript.json").read_text()


def test_flags_alone_rotate_the_openpgp_key(keyed: Program, tmp_path: Path) -> None:
    rotating = dataclasses.replace(keyed, phrases={**keyed.phrases, "new": PHRASE})
    old = in_use(keyed, "openpgp")
    command = ("key", "rotate", "gpg", "--reason", "scheduled", *DESPITE)
    unconfirmed = rotating(*command, passphrases=True, code=2)
    assert "KEY-3/not-confirmed" in unconfirmed.text
    assert f"--confirm {old[-16:]}" in unconfirmed.text.replace("\n", " ")
    assert in_use(keyed, "openpgp") == old
    data = rotating(*command, *confirmed(keyed, "openpgp"), passphrases=True, as_json=True).json
    assert (data["old"], data["new"]) == (old, in_use(keyed, "openpgp"))
    folder = tmp_path / "public"
    folder.mkdir()
    keyed("key", "publish", folder)
    assert (folder / data["statement"]).exists()
    assert (folder / f"gpg-{data['new']}.asc").read_text() == data["public_key"]
    assert (folder / f"gpg-{old}.asc").exists()


def test_an_exception_is_noted_at_a_prompt(keyed: Program) -> None:
    rotating = dataclasses.replace(keyed, phrases={**keyed.phrases, "new": PHRASE})
    lines = ("", "Ben", ":x", "one door", "two doors", "lock both", "Wim", *[""] * 12)
    ended = rotating(
        *("key", "rotate", "minisign", *DESPITE, *confirmed(keyed), "--verdict", "nobody"),
        passphrases=True,
        script="\n".join(lines) + "\n",
    )
    assert ":x note an exception" in ended.stdout
    (ceremony,) = (keyed.vault / "ceremonies").iterdir()
    text = (ceremony / "transcript.txt").read_text()
    assert "two doors" in text
    assert "at step witness" in text
    assert "witness           Wim" in text
