"""``python -m services.cli``: the same as ``looksync``."""

from services.cli.app import app

app(prog_name="looksync")
