"""The app signs a release once, in a network namespace that is connected, and is looked at.

Its memory is searched for passphrases and for the opened key, its process is as closed as the
kernel says (SEC-2), and the reason for signing while connected stands on the receipt (POL-9).
One passphrase comes in a burst, as from a keyboard that was typed ahead, the other as a bracketed
paste: both once left whole copies behind, in what Textual reads and decodes.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import minisign
import pytest

from tests.adapters.test_host import can_make_namespaces
from tests.cli.program import Program
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, app_process, leave, short_folder
from tests.tui.tmux import Tmux, program
from tests.watching import copies_in_memory
from tests.workflows.bench import RELEASE, downloads, new_vault

pytestmark = [
    pytest.mark.root,
    needs_tmux,
    pytest.mark.skipif(not can_make_namespaces(), reason="no network namespaces here"),
]

#: No beginning and no end of one stands in any text of the program.
CANARIES: Final = {
    "minisign": b"albatross-canary xk3 dulcimer-qv",
    "gpg": b"penguin-canary wq9 bassoon-reed-zx",
}
PIECE_BYTES: Final = 12
WHY: Final = "the cable is looked at tomorrow"
SIGN: Final = ("release", "sign", RELEASE, "--confirm", RELEASE, "--waive", "POL-7=a test machine")


@dataclass(frozen=True)
class Observed:
    """What was seen of the app, and of the command line before it."""

    refused: str
    title: str
    screens: str
    too_short: str
    found: Mapping[str, Mapping[str, int]]
    status: str
    limits: str
    receipt: Mapping[str, Any]
    shown_receipt: str


@contextmanager
def connected() -> Iterator[str]:
    """A namespace with an interface that is up, and a default route."""
    inner, outer = f"pai-app-{os.getpid()}", f"pai-net-{os.getpid()}"

    def ip(command: str) -> None:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)

    try:
        ip(f"netns add {inner}")
        ip(f"netns add {outer}")
        ip(f"-n {inner} link add cable0 type veth peer cable1 netns {outer}")
        ip(f"-n {inner} link set cable0 up")
        ip(f"-n {inner} route add default dev cable0")
        yield inner
    finally:
        for name in (inner, outer):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def the_minisign_secret(vault: Path) -> bytes:
    """The 32 bytes from which the key signs."""
    (file,) = (vault / "keys" / "minisign").iterdir()
    key = minisign.SecretKey.from_bytes(file.read_bytes())
    key.decrypt(CANARIES["minisign"].decode())
    return bytes(key._keynum_sk.secret_key)


def copies(process: int, wanted: Mapping[str, bytes]) -> dict[str, int]:
    """How often the first or the last bytes of each stand in its memory; none that is not there."""
    counts = {
        name: max(copies_in_memory(process, end) for end in (it[:PIECE_BYTES], it[-PIECE_BYTES:]))
        for name, it in wanted.items()
    }
    return {name: count for name, count in counts.items() if count}


def paste(app: Tmux, text: str) -> None:
    """As a terminal pastes that was asked to mark it; then Enter."""
    app.tmux("load-buffer", "-", stdin=text)
    app.tmux("paste-buffer", "-d", "-p", "-t", "x")
    app.press("Enter")


def through_the_rules(app: Tmux) -> tuple[str, str]:
    """Waive what a test machine lacks; all screens until then, and what a short reason got."""
    app.pick(f"Review and sign: {RELEASE}")
    app.until("Does a watch or a phone")
    app.press("y")
    screens = too_short = ""
    begun = len(app.seen)
    while "Go on to the review?" not in (shown := app.until_asked("Rules 2/7", "POL-")):
        asked = re.search(r"(POL-\d) \([^)]*\) says no", shown)
        if asked is None:
            continue
        if asked[1] == "POL-9":
            screens = "\n".join(app.seen[begun:])
            app.answer("no")
            too_short = app.until("needs a reason in plain words")
            app.press("Enter")
            app.until_asked("POL-9", "says no")
        app.answer(WHY)
        app.until_gone(asked[0])
    app.press("Enter")
    return screens, too_short


@pytest.fixture(scope="module")
def observed() -> Iterator[Observed]:
    with short_folder() as room, connected() as namespace:
        vault = new_vault(room / "vault")
        keyed = Program(vault, phrases=CANARIES)
        keyed("key", "generate", passphrases=True)
        keyed("release", "import", downloads())
        inside = ("ip", "netns", "exec", namespace)
        online = Program(vault, phrases=CANARIES, prefix=inside)
        refused = online(*SIGN, passphrases=True, code=3).stderr
        assert not list((vault / "releases" / RELEASE).glob("**/*.minisig"))
        wanted = {**CANARIES, "minisign secret": the_minisign_secret(vault)}
        found = {}
        with program(room / "t", [*inside, *WEAK_APP, str(vault)]) as app:
            title = app.until("Review and sign", " UTC")
            screens, too_short = through_the_rules(app)
            app.until("Review 3/7", "page 1 of")
            app.read_pages("This is everything that will be signed.")
            app.press("Enter")
            app.until(f"Type {RELEASE} to sign it")
            app.answer(RELEASE)
            app.until("Passphrase of the minisign key")
            process = app_process(app)
            app.answer(CANARIES["minisign"].decode())
            app.until("Passphrase of the OpenPGP key")
            found["the key is open"] = copies(process, wanted)
            paste(app, CANARIES["gpg"].decode())
            app.until("Sign 7/7", "verified", "Enter go on")
            found["signed"] = copies(process, wanted)
            app.press("Enter")
            app.until(f"Receipt: {RELEASE}", "in words")
            found["the receipt is shown"] = copies(process, wanted)
            app.press("Enter")
            app.until(f"Export to a medium: {RELEASE}")
            folder = Path(f"/proc/{process}")
            status, limits = ((folder / name).read_text() for name in ("status", "limits"))
            leave(app)
        shown = keyed("release", "show", RELEASE).stdout
        (receipt,) = (vault / "releases" / RELEASE).glob("**/receipt.json")
        yield Observed(
            *(refused, title, screens, too_short, found, status, limits),
            receipt=json.loads(receipt.read_bytes()),
            shown_receipt=shown,
        )


def test_after_a_signed_release_no_passphrase_and_no_key_is_in_memory(observed: Observed) -> None:
    # The opened key is held, and once; so the look itself works.
    assert observed.found["the key is open"] == {"minisign secret": 1}
    assert observed.found["signed"] == {}
    assert observed.found["the receipt is shown"] == {}


def test_while_connected_signing_is_refused_with_the_cause(observed: Observed) -> None:
    assert "CONNECTED" in observed.title
    for said in (observed.refused, observed.screens):
        text = " ".join(said.split())
        assert "POL-9" in text
        assert "network interface up: cable0" in text
        assert "network route: default dev cable0" in text
    assert "needs a reason in plain words" in observed.too_short


def test_the_typed_reason_stands_on_the_receipt(observed: Observed) -> None:
    (told,) = (check for check in observed.receipt["checks"] if check["id"] == "POL-9")
    assert told["result"] == "waived"
    assert told["reason"] == WHY
    assert "cable0" in told["text"]


def test_the_running_app_is_closed_as_the_kernel_shows_it(observed: Observed) -> None:
    status = dict(line.split(":\t", 1) for line in observed.status.splitlines() if ":\t" in line)
    assert status["Umask"] == "0077"
    assert int(status["VmLck"].split()[0]) >= int(status["VmRSS"].split()[0])
    assert status["VmSwap"].split()[0] == "0"
    core = next(x for x in observed.limits.splitlines() if x.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
