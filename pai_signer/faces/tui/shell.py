"""What every screen of the app shares."""

from dataclasses import dataclass, field

from pai_signer.faces.desk import Desk, StatusBar
from pai_signer.faces.rows import shown
from pai_signer.faces.tui.environment import Look


@dataclass
class Shell:
    """The workstation, how the terminal looks, and the state for the title row."""

    desk: Desk
    look: Look
    status: StatusBar = field(default_factory=lambda: StatusBar("UNKNOWN", ""))

    def shown(self, text: str) -> str:
        """``text`` sanitised for this terminal."""
        return shown(text, lat15=self.look.lat15)
