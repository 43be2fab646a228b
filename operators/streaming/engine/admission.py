"""Which items a process may call: decided outside of the lane, at the moment of the call."""

from __future__ import annotations

from typing import Protocol, TypeVar

Contra = TypeVar("Contra", contravariant=True)


class Admission(Protocol[Contra]):
    """Which items this process may still handle. Called on the loop."""

    @property
    def one_at_a_time(self) -> bool:
        """Whether an item is only called when no other is being called."""
        ...

    def start(self, item: Contra) -> bool:
        """Whether ``item`` may be called now; its call then counts as started.

        Raises KilledProcess when it must never be called again.
        """
        ...

    def given_up(self, item: Contra) -> bool:
        """Whether the started call of ``item`` is to be cancelled."""
        ...

    def withdrawn(self, item: Contra) -> None:
        """The call of ``item`` has ended without an outcome."""
        ...
