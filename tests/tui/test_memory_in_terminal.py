"""The memory of the running app, searched for passphrases and for the opened key (SEC-2).

One passphrase comes in a burst, as from a keyboard that was typed ahead, the other as a bracketed
paste: both once left whole copies behind, in what Textual reads and decodes.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import minisign
import pytest

from tests.cli.program import Program
from tests.tui.moves import WEAK_APP, app_process, leave, read_on_to_the_passphrases, short_folder
from tests.tui.tmux import Tmux, program
from tests.watching import copies_in_memory
from tests.workflows.bench import downloads, new_vault

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

#: No beginning and no end of one stands in any text of the program.
CANARIES: Final = {
    "minisign": b"albatross-canary xk3 dulcimer-qv",
    "gpg": b"penguin-canary wq9 bassoon-reed-zx",
}
PIECE_BYTES: Final = 12


@pytest.fixture
def room() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def vault(room: Path) -> Path:
    """Keys under the canaries, and an imported release."""
    made = new_vault(room / "vault")
    keyed = Program(made, phrases=CANARIES)
    keyed("key", "generate", passphrases=True)
    keyed("release", "import", downloads())
    return made


def the_minisign_secret(vault: Path) -> bytes:
    """The 32 bytes from which the key signs."""
    (file,) = (vault / "keys" / "minisign").iterdir()
    key = minisign.SecretKey.from_bytes(file.read_bytes())
    key.decrypt(CANARIES["minisign"].decode())
    return bytes(key._keynum_sk.secret_key)


def found(process: int, wanted: Mapping[str, bytes]) -> dict[str, int]:
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


def test_after_a_signed_release_no_passphrase_and_no_key_is_in_memory(
    vault: Path, room: Path
) -> None:
    wanted = {**CANARIES, "minisign secret": the_minisign_secret(vault)}
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        read_on_to_the_passphrases(app)
        process = app_process(app)
        app.answer(CANARIES["minisign"].decode())
        app.until("Passphrase of the OpenPGP key")
        # The opened key is held, and once; so the look itself works.
        assert found(process, wanted) == {"minisign secret": 1}
        paste(app, CANARIES["gpg"].decode())
        app.until("Sign 7/7", "verified", "Enter go on")
        assert found(process, wanted) == {}
        app.press("Enter")
        app.until("Receipt: v0.2.0", "in words")
        assert found(process, wanted) == {}
        app.press("Enter")
        app.until("Export to a medium: v0.2.0")
        leave(app)
