"""How far a product agrees with the garment that a look of the sandbox wears."""

from __future__ import annotations

from sandbox.world import ATTRIBUTES, Garment


def differences(seen: Garment, found: Garment) -> int:
    """In how many attributes a product differs from what a look shows of a garment.

    What the look does not show (sleeves under a coat) does not count; nor does the second colour
    of a plain garment, the pattern says it already.
    """
    shown = [name for name in ATTRIBUTES if getattr(seen, name) is not None]
    return sum(getattr(seen, name) != getattr(found, name) for name in shown)
