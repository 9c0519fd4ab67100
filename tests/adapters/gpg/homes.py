"""What tests ask of a gpg home and of its keys, and how a refusal is held."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pai_signer.adapters.gpg_home import vault_home
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.domain.openpgp import parse_key_listing
from pai_signer.errors import SignerError
from tests.keys import WEAK_PASSPHRASE, RealClock

DATA = b"aa  pai-1.2.3-amd64.iso\n"
CLOCK = RealClock()
VERIFIER = GpgVerifier(CLOCK)
#: What a custodian's copy is wrapped under.
NEW = b"the custodian's own gpg phrase"


def refused(code: str, call: Callable[..., object], *arguments: object) -> SignerError:
    """``call`` is refused with ``code``, and no passphrase is told."""
    with pytest.raises(SignerError) as caught:
        call(*arguments)
    assert caught.value.code == code, caught.value.summary
    told = f"{caught.value!r} {caught.value.summary} {caught.value.hint}"
    assert not any(phrase.decode() in told for phrase in (NEW, WEAK_PASSPHRASE))
    return caught.value


def state(home: Path) -> dict[str, bytes]:
    """The public keys and the secret ones, byte for byte."""
    files = [home / "pubring.kbx", *home.glob("private-keys-v1.d/*"), *home.glob("*revocs.d/*")]
    return {str(p): p.read_bytes() for p in files}


def private_keys(home: Path) -> list[str]:
    return sorted(p.name for p in home.glob("private-keys-v1.d/*"))


def fingerprints(home: Path) -> list[str]:
    with vault_home(home) as opened:
        listing = opened.run(["--with-colons", "--list-secret-keys"]).stdout
    return [c.primary.fingerprint for c in parse_key_listing(listing)]


def our_agents(*, ending_within_s: float = 10) -> list[bytes]:
    """Living gpg-agents of this process's homes; one that is ending gets a moment to be gone."""
    give_up_at_s = time.monotonic() + ending_within_s
    while (found := _our_agents()) and time.monotonic() < give_up_at_s:
        time.sleep(0.02)
    return found


def _our_agents() -> list[bytes]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"gpg-agent" in command and f"/pai-{os.getpid()}-".encode() in command:
            found.append(command)
    return found
