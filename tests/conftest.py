"""Settings that all tests share."""

from hypothesis import settings

# how long one example takes says more about the machine than about the code
settings.register_profile("transporter", deadline=None)
settings.load_profile("transporter")
