"""Money as integer minor units and an ISO 4217 code; never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Self

from babel.numbers import get_currency_precision
from pydantic import Field, StringConstraints

from schemas.base import Part

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Money(Part):
    """An amount in the currency's minor unit: 4999.00 INR is 499900, 12,800 JPY is 12800."""

    amount_minor: int = Field(
        ge=0, le=10**15, description="Amount in minor units (paise, cents, yen)."
    )
    currency: Currency = Field(description="ISO 4217 code.")

    @classmethod
    def from_major(cls, amount: Decimal, currency: str) -> Self:
        """``amount`` in major units (rupees, dollars, yen), rounded half to even."""
        exponent = get_currency_precision(currency)
        minor = (amount * 10**exponent).to_integral_value(ROUND_HALF_EVEN)
        return cls(amount_minor=int(minor), currency=currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.amount_minor).scaleb(-get_currency_precision(self.currency))
