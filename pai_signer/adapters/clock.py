"""The workstation's clock."""

from datetime import UTC, datetime


class SystemClock:
    """``ports.Clock`` over the system's time; whether it is right is POL-8's question."""

    def now(self) -> datetime:
        """The time now, aware, in UTC, whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)
