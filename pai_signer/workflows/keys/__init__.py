"""The life of the keys (KEY-1 to KEY-6)."""
