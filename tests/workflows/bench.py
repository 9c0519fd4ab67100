"""Real workbenches, quickly: prepared vaults are made once per test run and copied.

Everything in them is real (journal, gpg, git, minisign format) but for three
things: passphrase hashing is weak, the machine seems to be offline, and the clock
can be moved. Passphrases are ``PHRASES``.
"""

import dataclasses
import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pai_signer.adapters.practice import DOWNLOADS, VERSION, build_practice_media
from pai_signer.composition import built_in_profile, make_vault, open_workbench
from pai_signer.domain.confirmation import LIVE_SUMS, LIVE_TAG
from pai_signer.domain.host import HostFacts
from pai_signer.domain.page import Page
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Answer, Conversation, Outcome, Question, Step
from pai_signer.workflows.script import Move, play
from pai_signer.workflows.workbench import Workbench
from tests.keys import WEAK_SCRYPT_LIMITS, LenientPassphrases
from tests.repository import Repository, make_repository

PHRASES: Final = {"minisign": b"weak minisign phrase", "gpg": b"weak gpg phrase"}
WHY: Final = "there is none in a test"
RELEASE: Final = f"v{VERSION}"

OFFLINE: Final = HostFacts(
    interfaces=(),
    routes=(),
    radios_unblocked=(),
    swap_unencrypted=(),
    memory_available_bytes=8 << 30,
    entropy_ready=True,
    tools=(),
    terminal="linux",
    terminal_columns=80,
    terminal_rows=24,
    vault_free_bytes=8 << 30,
)


@dataclass
class FakeHost:
    """A laptop without a network, unless a test says otherwise."""

    said: HostFacts = OFFLINE

    def facts(self) -> HostFacts:
        return self.said


@dataclass
class ShiftedClock:
    """The machine's clock, moved: gpg signs with the real one."""

    shift: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0) + self.shift


@dataclass
class Silent:
    """A ``Speaker`` that nobody listens to; it keeps what was shown."""

    shown: list[Page] = field(default_factory=list)

    def show(
        self, conversation: Conversation[Any], step: Step[Any], pages: tuple[Page, ...]
    ) -> None:
        self.shown.extend(pages)

    def ask(self, question: Question) -> Answer | Move | None:
        return None

    def asks_again(self, error: SignerError) -> bool:
        return False

    def working(self, step: Step[Any], progress: Progress) -> AbstractContextManager[None]:
        return nullcontext()


# --- prepared vaults ----------------------------------------------------------------------


@functools.cache
def _store() -> Path:
    return Path(_folder().name)


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="pai-bench-", ignore_cleanup_errors=True)


def stored(name: str) -> Path:
    """Where a test module keeps a vault of its own that it prepares once and copies."""
    return _store() / name


def remove_store() -> None:
    """At the end of a test session: xdist's workers end without the interpreter's clean-up."""
    if _folder.cache_info().currsize:
        _folder().cleanup()


@functools.cache
def _with_keys(*, rehearsal: bool) -> Path:
    vault = _store() / f"keys-{rehearsal}"
    name, email = "Mia Maintainer", "mia@example.org"
    make_vault(vault, built_in_profile(), name, email, rehearsal=rehearsal)
    with opened(vault) as bench:
        run(bench, "key.generate", secrets())
    # Tests that count ceremonies look at those they hold themselves.
    shutil.rmtree(vault / "ceremonies")
    return vault


@functools.cache
def _signed() -> Path:
    vault = _store() / "signed"
    shutil.copytree(_with_keys(rehearsal=False), vault)
    with opened(vault) as bench:
        run(bench, "release.import", directory=str(downloads()))
        sign(bench)
        run(bench, "release.export", version=RELEASE, directory=str(_exports()))
    return vault


@functools.cache
def _exports() -> Path:
    folder = _store() / "exports"
    folder.mkdir()
    return folder


@functools.cache
def downloads() -> Path:
    """The practice release: two images, SHA256SUMS, a bundle. Copy before changing it."""
    folder = _store() / "media"
    folder.mkdir()
    build_practice_media(folder, parse_profile(built_in_profile()))
    return folder / DOWNLOADS


def downloads_copy(to: Path) -> Path:
    """A copy of ``downloads`` for a test to change."""
    return Path(shutil.copytree(downloads(), to))


def new_vault(to: Path) -> Path:
    """A vault without keys."""
    make_vault(to, built_in_profile(), "Mia Maintainer", "mia@example.org")
    return to


def keyed_vault(to: Path, *, rehearsal: bool = False) -> Path:
    """A vault with both keys, registered, under ``PHRASES``."""
    return Path(shutil.copytree(_with_keys(rehearsal=rehearsal), to))


def signed_vault(to: Path) -> Path:
    """A vault where v0.2.0 of ``downloads`` was signed in one visit, and exported."""
    return Path(shutil.copytree(_signed(), to))


def published(to: Path) -> Path:
    """What a user has after downloading that release: exported files and artifacts."""
    _signed()
    shutil.copytree(_exports() / f"pai-{RELEASE}", to)
    for path in downloads().glob("*.iso"):
        shutil.copy2(path, to)
    return to


def brought_back(folder: Path, to: Path) -> Path:
    """A stick with a published ``folder`` and, beside it, the lists of ``upload.sh``."""
    back = to / f"pai-{RELEASE}-live"
    back.mkdir(parents=True)
    shutil.copytree(folder, to / f"pai-{RELEASE}")
    companions = ("UPLOAD.md", "upload.sh", "reminders.ics", f"{RELEASE}.bundle")
    assets = [p for p in folder.iterdir() if p.is_file() and p.name not in companions]
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in assets]
    (back / LIVE_SUMS).write_text("".join(sorted(lines)))
    tag = json.loads((folder / "receipt.json").read_bytes())["tag"]
    ref = f"refs/tags/{RELEASE}"
    (back / LIVE_TAG).write_text(f"{tag['oid']}\t{ref}\n{tag['commit']}\t{ref}^{{}}\n")
    return back


def a_repository(to: Path, commits: int = 3) -> Repository:
    """A small real repository."""
    return make_repository(to, commits)


def a_strangers_repository(to: Path) -> Repository:
    """One that shares no commit with ``a_repository``."""
    repository = make_repository(to, 1)
    repository.git("commit", "-q", "--amend", "-m", "Another beginning")
    repository.commit("Another change")
    return repository


def write_sums(folder: Path) -> None:
    """CI's SHA256SUMS for every image in the folder."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.iso"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def rename_release(folder: Path, version: str, mark: bytes = b"") -> Path:
    """Make the practice release another one: other names, other content (in the padding)."""
    for path in sorted(folder.glob("*.iso")):
        data = bytearray(path.read_bytes())
        data[100 : 100 + len(mark)] = mark  # the system area, which nothing inspects
        path.with_name(path.name.replace(VERSION, version)).write_bytes(data)
        if version != VERSION:
            path.unlink()
    write_sums(folder)
    return folder


# --- playing --------------------------------------------------------------------------------


@contextmanager
def opened(
    vault: Path, *, host: FakeHost | None = None, clock: ShiftedClock | None = None
) -> Iterator[Workbench]:
    """Open a vault with weak limits, on a machine that seems offline."""
    at = clock or ShiftedClock()
    with open_workbench(
        vault, at=at, limits=WEAK_SCRYPT_LIMITS, passphrases=LenientPassphrases()
    ) as (bench, _notes):
        yield dataclasses.replace(bench, host=host or FakeHost())


def secrets(**others: bytes) -> dict[str, Answer]:
    """Fresh secrets for ``PHRASES``; keywords replace one."""
    return {name: Secret(bytearray(text)) for name, text in {**PHRASES, **others}.items()}


def run(
    bench: Workbench,
    entry: str,
    answers: Mapping[str, Answer] | None = None,
    speaker: Silent | None = None,
    /,
    **arguments: str,
) -> Outcome:
    """Play an entry of the catalogue to its end; raises what its outcome refuses."""
    outcome = play(catalogue.begin(bench, entry, arguments), answers or {}, speaker or Silent())
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def sign(
    bench: Workbench, version: str = RELEASE, speaker: Silent | None = None, /, **arguments: str
) -> Outcome:
    """Sign with everything given, custody waived."""
    answers = {"clock": YES, "confirm": version, **secrets()}
    given = {"waive.POL-7": WHY, "version": version, **arguments}
    return run(bench, "release.sign", answers, speaker, **given)


def events(bench: Workbench) -> list[str]:
    """The journal's events, in order."""
    return [entry.event for entry in bench.journal.entries()]
