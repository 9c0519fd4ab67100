"""What a test of the app needs of the machine, else it is skipped."""

import shutil
from typing import Final

import pytest

needs_tmux: Final = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
