"""Compare a product with the garment worn in a sandbox look."""

from __future__ import annotations

from sandbox.world import ATTRIBUTES, Garment


def differences(seen: Garment, found: Garment) -> int:
    """Count the attributes in which a product differs from what a look shows of a garment.

    Hidden attributes (sleeves under a coat) do not count. Nor does the second colour of a plain
    garment, since the pattern already implies it.
    """
    shown = [name for name in ATTRIBUTES if getattr(seen, name) is not None]
    return sum(getattr(seen, name) != getattr(found, name) for name in shown)
