"""What every ceremony has in common: roles, probes, transcript, verdict (KEY-1)."""
