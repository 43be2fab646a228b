"""Base of all events: a schema version, unknown fields preserved, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

Model = TypeVar("Model", bound=BaseModel)


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it must be of the years 1 to 9999") from None


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A time with an offset, converted to UTC. A time without an offset is invalid."""


def _refuse_truth_values(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _read_whole(value: object, as_number: ValidatorFunctionWrapHandler) -> int:
    number: int = as_number(value if type(value) is int else _refuse_truth_values(value))
    if not -(2**63) <= number < 2**63:
        raise ValueError("must fit in 64 bits")
    return number


Whole = Annotated[int, WrapValidator(_read_whole)]
"""A whole number that other languages can read. True is refused, although Python counts it as 1."""

Number = Annotated[float, BeforeValidator(_refuse_truth_values)]
"""A finite number (the models below refuse others), not true or false."""

KnownVersion = Annotated[Whole, Field(ge=0)]
"""Of a packet."""

Market = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2 code of a sales market: IN, US, JP."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Event(BaseModel):
    """Base of everything that travels on a topic.

    Unknown fields are preserved and written back: a newer producer does not break an older
    consumer, and no field is lost on the way.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    schema_version: Annotated[Literal[1], BeforeValidator(_refuse_truth_values)] = Field(
        1, description="Version of this record's schema."
    )


def encode(event: Event) -> bytes:
    """The event as JSON, ready to be written. Raises ValidationError for one that its own schema
    refuses, which parts copied with changes can make: consumers could not read it."""
    value = to_json(event)
    type(event).model_validate_json(value)
    return value


def to_json(event: Event) -> bytes:
    """The event as JSON, not read back: of parts that were all validated when they were read."""
    return event.model_dump_json(warnings=False).encode()


class Part(BaseModel):
    """Base of an object inside an event or record; unknown fields are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        if deep:
            return super().model_copy(update=update, deep=True)
        changed = update or {}
        return built(
            type(self), {**vars(self), **changed}, self.__pydantic_fields_set__ | changed.keys()
        )

    def __eq__(self, other: object) -> bool:
        # pydantic's takes four times as long, to leave out what only models have that we have not.
        return type(self) is type(other) and vars(self) == vars(other)


def built(model: type[Model], values: dict[str, Any], fields_set: set[str] | None = None) -> Model:
    """A ``model`` of validated ``values`` for all of its fields. As model_construct, which takes
    three times as long to look for defaults and other names."""
    made = model.__new__(model)
    # The fields of a frozen model cannot be assigned.
    for name, value in (
        ("__dict__", values),
        ("__pydantic_fields_set__", set(values) if fields_set is None else fields_set),
        ("__pydantic_extra__", {} if model.model_config["extra"] == "allow" else None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(made, name, value)
    return made
