"""Pictures of every screen, taken from the running app in a real terminal (``make shots``)."""
