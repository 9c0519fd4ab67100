"""What all tests share."""

import os

import pytest
from hypothesis import settings

from pai_signer.adapters.binding import BIND_NOW
from pai_signer.domain import openpgp_secret
from tests.keys import STOCK_S2K_COUNT_BYTES, weaken_openpgp

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# Each start of the program would be two; that it begins so by itself, ``test_binding.py`` shows.
os.environ[BIND_NOW] = "1"

# Strength is tested where it matters, and by everything that runs the installed command.
weaken_openpgp()


@pytest.fixture
def stock_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenPGP passphrases are hashed, and have to be, as in the program that people run."""
    monkeypatch.setattr(openpgp_secret, "S2K_COUNT_BYTES", STOCK_S2K_COUNT_BYTES)
