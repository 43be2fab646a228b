"""Calibrations in Redis: one per encoder."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from operators.matching.calibration import Calibration, Logistic, Origin
from operators.stores.redis.calibrations import PREFIX, RedisCalibrations
from schemas.errors import Misconfigured

FITTED = Calibration(
    same_item=Logistic(bias=-1.0, weights={"margin": 3.0}),
    origin=Origin(
        source="judged", pictures=40, pairs=1200, fitted_at=datetime(2026, 11, 29, tzinfo=UTC)
    ),
)


async def test_each_encoder_has_its_own(client: Redis) -> None:
    calibrations = RedisCalibrations(client)
    await calibrations.write("clip-1", FITTED)
    assert await calibrations.read("clip-1") == FITTED
    assert await calibrations.read("clip-2") is None


async def test_one_of_another_version_is_to_be_fitted_again(client: Redis) -> None:
    await client.set(f"{PREFIX}clip-1", '{"older": true}')
    with pytest.raises(Misconfigured, match="looksync calibrate"):
        await RedisCalibrations(client).read("clip-1")


async def test_one_without_an_origin_was_fitted_to_the_catalog(client: Redis) -> None:
    older = FITTED.model_copy(update={"origin": None}).model_dump_json(exclude_none=True)
    await client.set(f"{PREFIX}clip-1", older)
    read = await RedisCalibrations(client).read("clip-1")
    assert read == FITTED.model_copy(update={"origin": Origin(source="catalog")})
