"""Make today's documents the released ones: ``python -m tests.contracts``.

Refuses a break, unless the version in pyproject.toml says that there is one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.contracts.released import (
    RELEASED,
    breaks,
    may_break,
    oasdiff,
    released,
    today,
    version_of,
)


def main() -> None:
    """Exit code 1 with what would break."""
    now = today()
    if RELEASED.exists():
        tool, before = oasdiff(), released()
        if tool is None:
            sys.exit("no oasdiff: run `make contract-tools`")
        with tempfile.TemporaryDirectory() as folder:
            found = breaks(tool, before, now, Path(folder))
        print("\n".join(found) or "nothing breaks")
        if found and not may_break(version_of(before["openapi.json"])):
            sys.exit("these break programs: see docs/api.md, `A wanted break`")
    RELEASED.mkdir(exist_ok=True)
    for name, document in now.items():
        (RELEASED / name).write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
