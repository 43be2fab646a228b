"""``looksync shop``: everything, on a demo world that goes on living."""

from __future__ import annotations

from pathlib import Path

from schemas.settings import load_settings
from services.cli.demo import CONFIG, run_demo
from services.cli.evaluate import REPORT
from services.cli.stack import run_stack


def run_shop(folder: Path, *, seed: int, products: int, looks: int, every_seconds: float) -> int:
    """Run until SIGINT or SIGTERM; first the demo, unless one has finished in ``folder``.

    As `run_stack`; not 0 either when the demo's guarantees did not hold.
    """
    if not (folder / REPORT).exists():
        code = run_demo(folder, seed=seed, products=products, looks=looks)
        if code:
            return code
    config = folder / CONFIG
    market = ["sandbox", "live", str(folder / "world"), "--every", str(every_seconds)]
    return run_stack(load_settings(config), config, {"market": market})
