"""``help`` and completion, as the installed program gives them: no vault, no tool."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from pai_signer.faces.cli.anyone import Anyone
from pai_signer.faces.cli.help_command import help_
from pai_signer.faces.topics import TOPICS

ROOT: Final = Path(__file__).parents[2]


def started(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pai_signer", *arguments],
        cwd=ROOT,
        env={"LANG": "C.UTF-8", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_topics_are_listed_and_no_vault_is_made(tmp_path: Path) -> None:
    done = started("help", PAI_SIGNER_VAULT=str(tmp_path / "vault"))
    assert done.returncode == 0, done.stderr
    listed = [line.split("  ")[0] for line in done.stdout.splitlines()[2:] if line]
    assert listed == [topic.name for topic in TOPICS]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_page_is_printed_as_plain_text(as_json: bool) -> None:
    done = CliRunner().invoke(help_, ["custody"], obj=Anyone(as_json))
    assert done.exit_code == 0, done.output
    text = json.loads(done.stdout)["text"] if as_json else done.stdout
    assert text.startswith("Custody: the backups of the keys, and the proof that they work\n\n")
    assert "\n      pai-signer backup create --custodian Anna /media/anna\n" in text


def test_a_reader_who_has_had_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pai_signer", "help", "assurance"]
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            command, cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_from_the_printed_script(tmp_path: Path) -> None:
    program = tmp_path / "pai-signer"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pai_signer "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(_PAI_SIGNER_COMPLETE=bash_source pai-signer)"\n'
        "COMP_WORDS=(pai-signer help cust); COMP_CWORD=2\n"
        "_pai_signer_completion pai-signer\n"
        'echo "${COMPREPLY[@]}"; complete -p pai-signer\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[0] == "custody", done.stderr
    assert "-F _pai_signer_completion pai-signer" in done.stdout


def test_the_variable_turns_no_command_into_a_success(tmp_path: Path) -> None:
    """SEC-2, VER-1: a ``verify`` that verified nothing would be one."""
    done = started(
        *("verify", str(tmp_path), "--keys", str(tmp_path)),
        _PAI_SIGNER_COMPLETE="bash_complete",
        COMP_WORDS="pai-signer verify",
        COMP_CWORD="1",
    )
    assert done.returncode not in (0, 1), done.stdout
