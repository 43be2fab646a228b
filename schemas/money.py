"""Money as integer minor units and an ISO 4217 code; never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from schemas.base import Part, Whole

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


_OTHER_DIGITS = {
    code: digits
    for digits, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}
"""Of ISO 4217, list one; all others have two. CLDR's differ: they say how many digits
people write (RSD none), not what the minor unit is."""


def minor_digits(currency: str) -> int:
    """Decimals of the currency's minor unit: 2 of USD, 0 of JPY, 3 of KWD."""
    return _OTHER_DIGITS.get(currency, 2)


MOST_MINOR = 10**15
"""Beyond, an amount is a mistake."""


class Money(Part):
    """An amount in the currency's minor unit: 4999.00 INR is 499900, 12,800 JPY is 12800."""

    amount_minor: Whole = Field(
        ge=0, le=MOST_MINOR, description="Amount in minor units (paise, cents, yen)."
    )
    currency: Currency = Field(description="ISO 4217 code.")

    @classmethod
    def from_major(cls, amount: Decimal, currency: str) -> Self:
        """``amount`` in major units (rupees, dollars, yen), rounded half to even."""
        exponent = minor_digits(currency)
        minor = (amount * 10**exponent).to_integral_value(ROUND_HALF_EVEN)
        return cls(amount_minor=int(minor), currency=currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.amount_minor).scaleb(-minor_digits(self.currency))
