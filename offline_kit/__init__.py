"""The archive from which a laptop that never sees a network installs pai-signer."""
