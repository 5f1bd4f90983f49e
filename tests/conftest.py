"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A loaded machine is no fault of the code under test; pytest-timeout ends what hangs.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
