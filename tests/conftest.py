"""What holds for all tests."""

from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # no test is judged by how long the machine took
settings.load_profile("any machine")
