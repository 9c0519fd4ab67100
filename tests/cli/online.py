"""The online side, without a network: a bare remote, a clone, and a ``gh`` that keeps releases.

The fake ``gh`` writes down what it is asked, and keeps what it is given in a folder as the site
would: it refuses an asset that is there already and has no way to delete. Its words are those of
the real one where ``upload.sh`` reads them. A line in its ``fail`` file makes every call fail whose
arguments hold that text.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GH: Final = r"""#!/bin/bash
set -eu
state=$GH_STATE
printf '%s\n' "$*" >>"$state/calls"
if [ -s "$state/fail" ] && grep -qF -- "$(cat "$state/fail")" <<<"$*"; then
  echo 'HTTP 502: Bad Gateway' >&2
  exit 1
fi
case "$1 $2" in
  'release view')
    release=$state/releases/$3
    [ -d "$release" ] || { echo 'release not found' >&2; exit 1; }
    case $5 in
      isDraft) cat "$release/draft" ;;
      assets) ls "$release/assets" ;;
    esac
    ;;
  'release create')
    git ls-remote --exit-code origin "refs/tags/$3" >/dev/null
    [[ " $* " = *' --verify-tag --draft '* ]]
    mkdir -p "$state/releases/$3/assets"
    echo true >"$state/releases/$3/draft"
    ;;
  'release upload')
    [ $# = 4 ]
    name=$(basename -- "$4")
    assets=$state/releases/$3/assets
    [ ! -e "$assets/$name" ] || { echo 'asset under the same name already exists' >&2; exit 1; }
    cp -- "$4" "$assets/$name"
    ;;
  'release edit') [ "$4" = --draft=false ]; echo false >"$state/releases/$3/draft" ;;
  'release download')
    assets=$state/releases/$3/assets
    # What CI puts there between the upload and the look at the draft.
    if [ "$4" != --pattern ] && [ -d "$state/exchanged" ]; then
      cp -- "$state"/exchanged/* "$assets"
    fi
    if [ "$4" = --pattern ]; then cp -n -- "$assets/$5" "$7"; else cp -n -- "$assets"/* "$5"; fi
    ;;
  'variable list') cat "$state/variables" ;;
  'variable set') printf '%s\t%s\t2026-01-01\n' "$3" "$5" >"$state/variables" ;;
  *) echo "unknown command: $*" >&2; exit 1 ;;
esac
"""


def bash(*command: str | Path, cwd: Path) -> str:
    """A command that has to succeed; what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Online:
    """The machine with a network: the stick's folder, a clone, the remote, the fake site."""

    home: Path
    folder: Path

    @property
    def clone(self) -> Path:
        return self.home / "clone"

    @property
    def remote(self) -> Path:
        return self.home / "remote.git"

    @property
    def site(self) -> Path:
        return self.home / "site"

    @property
    def back(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-live")

    @property
    def scratch(self) -> Path:
        """A short path of its own: the socket of gpg's agent has to fit into 108 bytes."""
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]
        return Path(tempfile.gettempdir(), f"pai-{name}")

    @property
    def environment(self) -> dict[str, str]:
        """Where ``gh`` is the fake one."""
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        self.scratch.mkdir(exist_ok=True)
        return {**os.environ, "PATH": path, "GH_STATE": str(self.site), "TMPDIR": str(self.scratch)}

    def upload(
        self, *options: str | Path, code: int = 0, answers: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``upload.sh``; it has to end with ``code``."""
        done = subprocess.run(
            ["bash", self.folder / "upload.sh", "--clone", self.clone, *options],
            cwd=self.home,
            env=self.environment,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        self.scratch.rmdir()  # OSError: something is left in it
        return done

    def calls(self, *words: str) -> list[str]:
        """What ``gh`` was asked that begins with one of ``words``; with none, what changes."""
        changing = (
            *("release create", "release upload", "release edit"),
            *("release delete", "variable set"),
        )
        calls = (self.site / "calls").read_text().splitlines()
        return [call for call in calls if call.startswith(words or changing)]

    def state(self) -> tuple[str, dict[str, bytes]]:
        """All that is online: the remote's refs, and every file of the site but the calls."""
        refs = bash("git", "for-each-ref", cwd=self.remote)
        files = {str(p): p.read_bytes() for p in self.site.rglob("*") if p.is_file()}
        files.pop(str(self.site / "calls"))
        return refs, files


def online_side(home: Path, folder: Path, bundle: Path) -> Online:
    """Set it up: a remote made of ``bundle``, its clone with the folder's keys committed."""
    online = Online(home, folder)
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "gh").write_text(GH)
    (home / "bin" / "gh").chmod(0o755)
    online.site.mkdir()
    for name in ("calls", "variables"):
        (online.site / name).touch()
    bash("git", "clone", "-q", "--bare", bundle, online.remote, cwd=home)
    bash("git", "clone", "-q", online.remote, online.clone, cwd=home)
    shutil.copytree(folder / "keys", online.clone / "keys" / "public")
    return online
