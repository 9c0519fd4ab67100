"""Keys on a machine whose clock stands elsewhere, for the program and for gpg (POL-6, POL-8).

Time is moved by ``faketime`` around the whole command line: what is refused here is what gpg
itself would have got wrong.
"""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_REFUSED
from tests.cli.program import NO_NETWORK, Ended, Program
from tests.workflows.bench import PHRASES, RELEASE, WHY, downloads, keyed_vault, published

#: The profile's numbers: a key is due after 730 days and overdue after 90 more; the OpenPGP
#: key is born with 400.
EXPIRED, DUE, OVERDUE = 402, 735, 825
NEW_PHRASE: Final = b"weak new phrase"
YES: Final = "1\n"


def on(program: Program, days: int) -> Program:
    """The same vault on a machine whose clock is some days ahead, or behind."""
    return dataclasses.replace(
        program,
        prefix=(*NO_NETWORK, "faketime", "-f", f"{days:+}d"),
        command=(sys.executable, "-m", "tests.cli.clocked_program"),
        phrases={**PHRASES, "new": NEW_PHRASE},
    )


def with_phrases(program: Program, *names: str, **changed: bytes) -> Program:
    kept = {name: program.phrases[name] for name in names}
    return dataclasses.replace(program, phrases={**kept, **changed})


def until(days: int) -> str:
    wanted = (datetime.now(UTC) + timedelta(days=days)).date()
    return good_expiry_day(wanted, AvoidedDays()).isoformat()


def sign(program: Program, *waived: str, code: int = 0) -> Ended:
    given = [part for rule in ("POL-7", *waived) for part in ("--waive", f"{rule}={WHY}")]
    return with_phrases(program, "minisign", "gpg")(
        *("release", "sign", RELEASE, "--confirm", RELEASE, *given), passphrases=True, code=code
    )


def extend(program: Program, days: int, code: int = 0) -> Ended:
    return with_phrases(program, "minisign", "gpg")(
        *("key", "extend", "--until", until(days)), passphrases=True, script=YES, code=code
    )


def rotate(program: Program, *watch: str, code: int = 0) -> Ended:
    keys = program("key", "list", as_json=True).json["keys"]
    old = next(k["id"] for k in keys if (k["algorithm"], k["state"]) == ("minisign", "active"))
    return program(
        *("key", "rotate", "minisign", "--despite", WHY, "--confirm", old, *watch),
        passphrases=True,
        code=code,
    )


ACTS: Final[dict[str, Callable[[Program], Ended]]] = {
    "release sign": lambda program: sign(program, "POL-8", code=EXIT_REFUSED),
    "key extend": lambda program: extend(program, 500, code=EXIT_REFUSED),
    "key rotate minisign": lambda program: rotate(program, code=EXIT_REFUSED),
}


def contents(vault: Path) -> dict[str, bytes]:
    """All that lasts: keys, registry, journal, what is signed. Not what is unfinished."""
    folders = ("keys/minisign", "keys/registry", "releases", "ceremonies")
    files = [path for name in folders for path in (vault / name).rglob("*") if path.is_file()]
    files += [vault / "journal.jsonl", vault / "keys/gnupg/pubring.kbx"]
    return {str(path.relative_to(vault)): path.read_bytes() for path in files}


@pytest.fixture
def imported(keyed: Program) -> Program:
    keyed("release", "import", downloads())
    return keyed


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault whose OpenPGP key was extended just before it expired, far beyond the rotation."""
    vault = keyed_vault(tmp_path_factory.mktemp("clock") / "vault")
    program = Program(vault, phrases=PHRASES)
    program("release", "import", downloads())
    extend(on(program, 390), 1100)
    return vault


@pytest.fixture
def aged(extended: Path, tmp_path: Path) -> Program:
    """A copy of it, for a test of its own."""
    return Program(Path(shutil.copytree(extended, tmp_path / "vault")))


# --- behind ------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
def test_a_clock_a_day_behind_is_refused_before_gpg_is_asked(imported: Program, act: str) -> None:
    before = contents(imported.vault)
    ended = ACTS[act](on(imported, -1))
    assert "before" in ended.text
    assert "unusable secret key" not in ended.text.lower()
    assert contents(imported.vault) == before


def test_gpg_itself_would_say_something_else(imported: Program, tmp_path: Path) -> None:
    """The trap: under a clock that is behind, gpg blames the key."""
    home = shutil.copytree(imported.vault / "keys" / "gnupg", tmp_path / "home")
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback"]
    signing = [*gpg, "--passphrase", PHRASES["gpg"].decode(), "--detach-sign", "--output", "-"]
    for shift, code in (("-1d", 2), ("+1d", 0)):
        done = subprocess.run(
            ["faketime", "-f", shift, *signing], input=b"x", capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert (b"nusable secret key" in done.stderr) == (code != 0)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


# --- ahead -------------------------------------------------------------------------------------


def test_a_clock_a_day_ahead_harms_for_that_day_and_no_longer(imported: Program) -> None:
    """A self-signature of tomorrow: gpg would say "Time conflict", we say which clock is wrong."""
    tomorrow = on(imported, 1)
    extend(tomorrow, 500)
    sign(tomorrow)
    before = contents(imported.vault)
    ended = extend(on(imported, 0), 520, code=EXIT_REFUSED)
    assert "POL-8/clock" in ended.text
    assert "Set the clock" in ended.text or "set it" in ended.text
    assert "onflict" not in ended.text
    assert contents(imported.vault) == before
    extend(on(imported, 2), 520)


# --- expiry ------------------------------------------------------------------------------------


def test_an_expired_key_signs_nothing_until_it_is_extended(
    imported: Program, tmp_path: Path
) -> None:
    later = on(imported, EXPIRED)
    before = contents(imported.vault)
    assert "POL-6" in sign(later, "POL-6", "POL-8", code=EXIT_REFUSED).text
    assert "expired on" in rotate(later, code=EXIT_REFUSED).text
    assert contents(imported.vault) == before
    extend(later, 800)
    sign(later)
    keys = tmp_path / "keys"
    keys.mkdir()
    later("key", "publish", keys)
    later("release", "export", RELEASE, tmp_path)
    later("verify", tmp_path / f"pai-{RELEASE}", "--keys", keys)


def test_what_was_signed_in_time_verifies_after_the_key_expired(tmp_path: Path) -> None:
    folder = published(tmp_path / "published")
    later = on(Program(tmp_path / "nowhere"), EXPIRED)
    ended = later("verify", folder, "--keys", folder / "keys")
    assert "expired since" in " ".join(ended.stdout.split())


# --- rotation ----------------------------------------------------------------------------------


def test_a_rotation_that_is_due_is_a_warning(aged: Program) -> None:
    later = on(aged, DUE)
    assert "due for rotation" in sign(later).text
    assert "release.signed" in later("journal", "show").stdout


def test_a_rotation_that_is_overdue_refuses_until_it_is_done(aged: Program) -> None:
    later = on(aged, OVERDUE)
    ended = sign(later, "POL-6", "POL-8", code=EXIT_REFUSED)
    assert "overdue for rotation" in ended.text
    assert "POL-6 cannot be waived" in ended.text
    assert "nobody compared" in rotate(later, code=EXIT_REFUSED).text  # a long time in a drawer
    watch = datetime.now(UTC) + timedelta(days=OVERDUE)
    rotate(later, "--clock-second", f"{watch:%Y-%m-%d %H:%M}")
    sign(with_phrases(later, "gpg", minisign=NEW_PHRASE))
