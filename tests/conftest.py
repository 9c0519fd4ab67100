"""What all tests share."""

from hypothesis import settings

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
