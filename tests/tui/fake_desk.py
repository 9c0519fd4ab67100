"""A workstation made of nothing, to drive the app by hand and in tests.

By hand: ``python tests/tui/fake_desk.py``; ``--crash``, ``--crash-step`` and
``--hold`` serve the crash and the signal tests.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, MediumError, SignerError
from pai_signer.faces.desk import Action, HomeView, JournalLine, StatusBar
from pai_signer.ports import Medium, Passphrases
from pai_signer.workflows.engine import (
    Actor,
    Answer,
    Automatic,
    Choice,
    Confirm,
    Conversation,
    Option,
    Outcome,
    Proceed,
    Question,
    SecretText,
    Session,
    Step,
    TypedText,
    Wipeable,
    Workflow,
)
from pai_signer.workflows.script import MemoryStates

HOSTILE = (
    "a[/b].iso",
    "[@click=app.quit]x[/].iso",
    "esc\x1b]0;owned\x07\x1b[31m.iso",
    "new\nline.iso",
    "rtl\u202eosi.exe",
    "\u05d0\u05d1 zalgo\u0301.iso",
    "\udcff.iso",
    "\u4e2d\u6587.iso",
    "-rf ☃.iso",
    "x" * 255,
)
CANARY = "correct-horse-canary-9f27ee06"


class State(msgspec.Struct, frozen=True):
    medium: str = ""
    read: bool = False
    hashed: bool = False
    sure: str = ""
    reviewed: bool = False
    signed: bool = False
    exported: bool = False
    path: str = ""


class FakeStore(MemoryStates):
    """Shows what is saved."""

    @property
    def saved(self) -> dict[str, bytes]:
        return self._states


@dataclass
class World:
    """What the fake steps obey and what they tell the tests."""

    media: list[str] = field(default_factory=lambda: ["PAI_BUILD"])
    fail_hash: int = 0
    slow_s: float = 0.0
    hold: threading.Event = field(default_factory=threading.Event)
    question_hold: threading.Event = field(default_factory=threading.Event)
    entered: list[bytes] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    held_while_working: list[bool] = field(default_factory=list)
    crash: bool = False
    discarded: int = 0
    #: Set where the passphrase is a new one.
    new: Passphrases | None = None


class FakeStep(Step[State]):
    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.session = session


class ChooseMedium(FakeStep):
    id = "medium"
    title = "Import"

    def done(self, state: State) -> bool:
        return bool(state.medium)

    def question(self, state: State) -> Question:
        options = [Option(m, m) for m in self.world.media]
        options.append(Option("broken", "SANDISK, exfat, 31.9 GB", "it is not mounted"))
        if not self.world.media:
            options = [Option("", "No medium", "nothing is plugged in")]
        options.append(Option("path", "A folder on this machine"))
        return Choice("medium", "Which medium holds the release?", options=tuple(options))

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        if self.world.crash:
            passphrase = CANARY  # a local variable, as a crash would find it
            raise RuntimeError(f"value {passphrase} in the message")
        return msgspec.structs.replace(state, medium=str(answer))


class TypePath(FakeStep):
    id = "path"
    title = "Folder"

    def done(self, state: State) -> bool:
        return state.medium != "path" or bool(state.path)

    def question(self, state: State) -> Question:
        return TypedText("path", "Type the folder's path")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, path=str(answer))


class ReadNames(FakeStep):
    id = "names"
    title = "Inspect"

    def done(self, state: State) -> bool:
        return state.read

    def pages(self, state: State) -> Sequence[Page]:
        return (
            Page("Files on the medium", tuple(Line(n, mark=Mark.FAIL) for n in HOSTILE)),
            Page(
                "Artifact 1 of 2",
                (
                    Line("pai-0.2.0-amd64.iso            8,946,360,320 bytes"),
                    *digest_lines("SHA-256 computed", "9f27ee062f0f514e" * 4),
                    Line("the same", label="CI's SHA256SUMS", mark=Mark.OK),
                    Line("not there", label="second source", mark=Mark.WARN),
                ),
            ),
            Page("A long page", tuple(Line(f"row {i}", label=f"{i}") for i in range(1, 41))),
        )

    def question(self, state: State) -> Question:
        return Proceed("go", "These are the files.")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, read=True)


class Hash(FakeStep):
    id = "hash"
    title = "Checksum"
    unchanged = "Nothing was signed; the medium was only read."

    def done(self, state: State) -> bool:
        return state.hashed

    def pages(self, state: State) -> Sequence[Page]:
        return (Page("Reading each artifact once", ()),)

    def question(self, state: State) -> Question:
        return Automatic("hash")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        if self.world.fail_hash:
            self.world.fail_hash -= 1
            raise MediumError(
                "IMP-3/read", f"Reading {HOSTILE[2]} failed.", "Plug the medium in again."
            )
        for name in ("pai-0.2.0-amd64.iso", HOSTILE[1]):
            progress.begin(name, 1_000_000_000)
            for _ in range(10):
                progress.check()
                progress.add(100_000_000)
                time.sleep(self.world.slow_s / 10)
        return msgspec.structs.replace(state, hashed=True)


class Sure(FakeStep):
    id = "sure"
    title = "Confirm"
    actor = Actor.WITNESS

    def done(self, state: State) -> bool:
        return bool(state.sure)

    def question(self, state: State) -> Question:
        return Confirm("sure", f"Is {HOSTILE[0]} what was read aloud?")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, sure=str(answer))


class TypeVersion(FakeStep):
    id = "version"
    title = "Review"

    def done(self, state: State) -> bool:
        return state.reviewed

    def pages(self, state: State) -> Sequence[Page]:
        return (Page("The last page", (Line("Nothing is signed until you type the version."),)),)

    def question(self, state: State) -> Question:
        return TypedText("version", "Type v0.2.0 to sign it", must_equal="v0.2.0")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return msgspec.structs.replace(state, reviewed=True)


class Unlock(FakeStep):
    id = "unlock"
    title = "Unlock"

    def done(self, state: State) -> bool:
        return state.signed or "minisign" in self.session

    def question(self, state: State) -> Question:
        new = self.world.new
        return SecretText("minisign", "Passphrase of the minisign key", twice=True, new=new)

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        assert isinstance(answer, Secret)
        self.world.entered.append(bytes(answer.reveal()))
        self.world.secrets.append(answer)
        if bytes(answer.reveal()) == b"wrong":
            raise BadSignature("KEY-1/passphrase", "The passphrase is wrong.", "Type it again.")
        self.session.hold("minisign", answer)
        return state


class Sign(FakeStep):
    id = "sign"
    title = "Sign"
    commit_point = True

    def done(self, state: State) -> bool:
        return state.signed

    def question(self, state: State) -> Question:
        self.world.question_hold.wait(20)
        return Automatic("sign")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        progress.forbid_cancel()
        progress.say(Line("SHA256SUMS.minisig made", mark=Mark.OK))
        self.world.hold.wait(20)
        held: Wipeable = self.session.take("minisign")
        assert isinstance(held, Secret)
        self.world.held_while_working.append(not held.is_empty)
        progress.say(Line(f"{HOSTILE[4]} verified", mark=Mark.OK))
        return msgspec.structs.replace(state, signed=True)


class FakeDesk:
    """Implements ``faces.desk.Desk``."""

    def __init__(self, *, is_rehearsal: bool = False) -> None:
        self.is_rehearsal = is_rehearsal
        self.world = World()
        self.world.hold.set()
        self.world.question_hold.set()
        self.store = FakeStore()
        self.sessions: list[Session] = []
        self.calls: list[str] = []
        self.home_error: SignerError | None = None

    def title(self) -> str:
        return f"PAI, vault {HOSTILE[0]}"

    def home(self) -> HomeView:
        if self.home_error is not None:
            raise self.home_error
        return HomeView(
            (
                Page(
                    "Keys",
                    (
                        Line("active, 402 days left", label="minisign 3F2A…", mark=Mark.OK),
                        Line("active, 18 days left", label="GPG 81B7 …", mark=Mark.WARN),
                    ),
                ),
                Page("Last release", (Line(f"v0.1.0 {HOSTILE[4]}"),)),
            )
        )

    def actions(self) -> tuple[Action, ...]:
        resume = [Action("release.import", f"Resume: {HOSTILE[1]}") for _name in self.store.names()]
        return (
            Action("release.import", "Import and sign a release"),
            Action("release.sign", "Sign v0.3.0", f"{HOSTILE[0]} is not imported"),
            Action("broken", "Something that fails"),
            *resume,
        )

    @property
    def groups(self) -> tuple[str, ...]:
        return ()

    def group_pages(self, group: str) -> tuple[Page, ...]:
        return (Page(group, (Line(f"about {HOSTILE[0]}"),)),)

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        if action_id == "broken":
            raise MediumError("IMP-1/x", f"No {HOSTILE[0]} here.", "Plug it in.")
        session = Session()
        self.sessions.append(session)
        kinds: tuple[Callable[[World, Session], FakeStep], ...] = (
            ChooseMedium,
            TypePath,
            ReadNames,
            Hash,
            Sure,
            TypeVersion,
            Unlock,
            Sign,
        )
        workflow = Workflow(
            name="import",
            key="v0.2.0",
            title="Release v0.2.0",
            start=State(),
            steps=tuple(kind(self.world, session) for kind in kinds),
            outcome=lambda state: Outcome(
                (Page("Receipt", (Line(f"signed {HOSTILE[2]}", mark=Mark.OK),)),), {}
            ),
            discard=self._discarded,
        )
        return Conversation(workflow, self.store, session)

    def _discarded(self, _state: State) -> None:
        self.world.discarded += 1

    def journal_lines(self) -> tuple[JournalLine, ...]:
        return tuple(
            JournalLine(
                n,
                "2026-11-23 18:41",
                "release.signed" if n % 2 else "key.generated",
                f"entry about {HOSTILE[n % len(HOSTILE)]}",
                f"pai-signer release show v0.{n}.0",
            )
            for n in range(1, 21)
        )

    def checks(self) -> tuple[Page, ...]:
        return (
            Page(
                "Air gap",
                (
                    Line("no interface is up", label="POL-9", mark=Mark.OK),
                    Line(f"{HOSTILE[2]}: not found; apt install it", label="gpg", mark=Mark.FAIL),
                ),
            ),
        )

    def status(self) -> StatusBar:
        return StatusBar("OFFLINE", "23 Nov 2026 18:41 UTC")

    def media(self) -> tuple[Medium, ...]:
        return (
            Medium("/dev/sdb1", HOSTILE[1], "exfat", 31_900_000_000, "S\x1b1", "u", True, None),
            Medium("/dev/sdc1", "PAI", "vfat", 8_000_000_000, "", "u", False, Path("/media/x")),
        )

    def lock(self) -> None:
        self.calls.append("lock")
        for session in self.sessions:
            session.wipe()

    def close(self) -> None:
        self.calls.append("close")


class CrashingDesk(FakeDesk):
    """Crashes where the interface draws, with a canary among the local variables."""

    def title(self) -> str:
        passphrase: str = CANARY
        raise RuntimeError(f"value {passphrase} in the message")


def main(arguments: list[str]) -> int:
    from pai_signer.faces.tui.run import run_app  # noqa: PLC0415 - as the program does it

    desk = CrashingDesk() if "--crash" in arguments else FakeDesk(is_rehearsal=True)
    desk.world.slow_s = 3.0
    desk.world.crash = "--crash-step" in arguments
    if "--hold" in arguments:
        desk.world.hold.clear()
    code = run_app(desk)
    sys.stdout.write(f"calls: {desk.calls}, exit code: {code}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
