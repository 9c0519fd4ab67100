"""pai_signer: an air-gapped release-signing workstation."""

from datetime import UTC, datetime
from typing import Final

__version__: Final = "0.1.0"

#: No honest clock is before the day this program was written (POL-8).
BUILD_DATE: Final = datetime(2026, 11, 23, tzinfo=UTC)
