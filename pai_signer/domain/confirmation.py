"""What is live, against what was signed. Pure."""

from typing import Final

#: What the online machine writes down: as sha256sum(1) and git-ls-remote(1) say it.
LIVE_SUMS: Final = "live.sha256"
LIVE_TAG: Final = "live.tag"
