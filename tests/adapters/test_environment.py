"""SEC-2: nothing is imported, and nobody is asked, under variables that nobody here uses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters import environment
from pai_signer.adapters.environment import (
    COMPLETION,
    KEPT,
    LOADERS,
    TOOL_PATH,
    forget_environment,
)

ROOT: Final = Path(__file__).parents[2]
HOSTILE: Final = {
    "TEXTUAL_LOG": "/tmp/x",
    "TEXTUAL_DRIVER": "os:system",
    "OPENSSL_CONF": "/nonexistent",
    "OPENSSL_MODULES": "/nonexistent",
    "SSLKEYLOGFILE": "/tmp/x",
    "GNUPGHOME": "/tmp/x",
    "GIT_DIR": "/tmp/x",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/tmp/x",
    "_PAI_SIGNER_COMPLETE": "bash_source",
    "PYTHONBREAKPOINT": "os.system",
    "PATH": "/media/stick:/usr/bin",
}
LIBRARIES: Final = ("click", "msgspec", "cryptography", "gnupg", "minisign", "textual", "rich")
#: Notes the environment at the first look for each library, and at the end.
SCRIPT: Final = """
import json, os, sys
seen = {}
class Notes:
    def find_spec(self, name, path=None, target=None):
        if name in LIBRARIES and name not in seen:
            seen[name] = dict(os.environ)
sys.meta_path.insert(0, Notes())
from pai_signer.__main__ import main
assert not seen, seen.keys()
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
import pai_signer.faces.tui.run
from pai_signer.adapters.host import LinuxHost
doors = LinuxHost().facts().open_doors
print(json.dumps({"seen": seen, "end": dict(os.environ), "doors": doors}))
"""


def started(folder: Path, **more: str) -> dict[str, Any]:
    """What a whole command, and the import of the app after it, found around them."""
    code = f"LIBRARIES = {LIBRARIES!r}\n{SCRIPT}"
    vault = ("--vault", str(folder / "vault"))
    command = ("init", "--maintainer", "Ada Adams", "--email", "ada@example.org")
    kept = {"TERM": "vt220", "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", code, *vault, *command],
        cwd=ROOT,
        env={**HOSTILE, **kept, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_library_is_imported_in_a_clean_environment(tmp_path: Path) -> None:
    found = started(tmp_path)
    assert set(found["seen"]) == set(LIBRARIES)
    ours = {"TEXTUAL_DISABLE_KITTY_KEY": "1", "TEXTUAL_ANIMATIONS": "none"}
    expected = {"TERM": "vt220", "HOME": str(tmp_path), "LANG": "C.UTF-8", "PATH": TOOL_PATH}
    for library, environ in found["seen"].items():
        own = {} if library not in ("textual", "rich") else ours
        assert environ == {**expected, **own}, library
    assert found["end"] == {**expected, **ours}
    assert found["doors"] == []


def test_what_could_have_loaded_other_code_before_is_told(tmp_path: Path) -> None:
    found = started(tmp_path, PYTHONPATH=str(ROOT), LD_LIBRARY_PATH="/nonexistent")
    assert found["doors"] == [
        "LD_LIBRARY_PATH was set: other code could be loaded",
        "PYTHONPATH was set: other code could be loaded",
    ]


def test_only_names_that_are_used_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_loaders_at_start", set())
    kept = dict.fromkeys(KEPT, "x")
    environ = {**kept, **HOSTILE, **dict.fromkeys(LOADERS, "")}
    forget_environment(environ)
    assert environ == {**kept, "PATH": TOOL_PATH}
    assert environment.loaders_at_start() == (), "an empty one loads nothing"
    forget_environment({"LD_PRELOAD": "x.so", "PYTHONPATH": "y"})
    assert environment.loaders_at_start() == ("LD_PRELOAD", "PYTHONPATH")


def test_a_shell_may_ask_for_completions_only_where_no_command_is_given() -> None:
    asking = dict.fromkeys(COMPLETION, "x")
    for may_complete, left in ((True, asking), (False, {})):
        environ = {**HOSTILE, **asking}
        forget_environment(environ, may_complete=may_complete)
        assert environ == {**left, "PATH": TOOL_PATH}


def test_every_variable_that_the_package_reads_is_one_that_is_kept() -> None:
    """Whoever reads another one would find nothing, and only in the installed program."""
    read = set()
    for path in (ROOT / "pai_signer").rglob("*.py"):
        text = path.read_text()
        for marker in ('environ.get("', 'environ["', 'envvar="'):
            read |= {part.partition('"')[0] for part in text.split(marker)[1:]}
    assert {"TERM", "COLORTERM", "PAI_SIGNER_VAULT"} <= read
    assert read - {"PATH"} <= KEPT
