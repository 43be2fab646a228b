"""The time that reading and writing go by; tests have their own."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The functions of the module ``time`` that are used."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...
