"""``python -m services.cli``: the same as ``looksync``."""

from services.cli.app import run

run()
