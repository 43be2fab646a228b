"""The calibrations of encoders in Redis, next to the ledger: all processes use the same one.

One key per encoder's fingerprint, after which its collection is named, too: another model, or other
weights of the same name, have no calibration before one is fitted.
"""

from __future__ import annotations

from pydantic import ValidationError
from redis.asyncio import Redis

from operators.matching.calibration import Calibration, Origin
from operators.stores.redis.client import translate_errors
from schemas.errors import Misconfigured

PREFIX = "looksync:calibration:"


class RedisCalibrations:
    """Calibrations that ``looksync calibrate`` has fitted."""

    def __init__(self, client: Redis) -> None:
        """The caller closes ``client``."""
        self._client = client

    async def read(self, fingerprint: str) -> Calibration | None:
        """The encoder's calibration; None: there is none.

        Raises Misconfigured for one of another version, Unavailable without an answer.
        """
        with translate_errors():
            stored = await self._client.get(PREFIX + fingerprint)
        if stored is None:
            return None
        try:
            calibration = Calibration.model_validate_json(stored)
        except ValidationError as error:
            raise Misconfigured(
                f"the calibration of {fingerprint} was written by another version: run `looksync "
                "calibrate` again"
            ) from error
        if calibration.origin is None and calibration.origin_described is None:
            # Written before origins were stored, when only catalogs were fitted to.
            return calibration.model_copy(update={"origin": Origin(source="catalog")})
        return calibration

    async def write(self, fingerprint: str, calibration: Calibration) -> None:
        """Replace the encoder's calibration."""
        with translate_errors():
            await self._client.set(PREFIX + fingerprint, calibration.model_dump_json())
