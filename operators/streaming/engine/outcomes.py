"""How a call on an item ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Item, Value]):
    """``item`` was handled."""

    item: Item
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Failed(Generic[Item]):
    """``item`` could not be handled: the last of ``attempts`` attempts raised ``error``."""

    item: Item
    error: BaseException
    attempts: int


@dataclass(frozen=True, slots=True, eq=False)
class Withdrawn(Generic[Item]):
    """``item`` is not this process's to handle any more: it is neither done nor failed."""

    item: Item


Outcome = Done[Item, Value] | Failed[Item] | Withdrawn[Item]
