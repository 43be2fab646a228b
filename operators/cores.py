"""How many processor cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Of a container: microseconds of processor time in each period of so many microseconds."""


def available_cores(quota: Path = _CGROUP_QUOTA) -> int:
    """At least 1. ``os.cpu_count`` alone would name the whole machine's, container or not."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text().split()
        return max(1, min(cores, math.ceil(int(allowed) / int(period))))
    except (OSError, ValueError):  # no container, or "max"
        return cores
