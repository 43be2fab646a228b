"""Settings for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine must not fail a test, so Hypothesis measures no time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
