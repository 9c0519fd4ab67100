"""Whether what is published can be trusted, and why (SIG-5, VER-1)."""
