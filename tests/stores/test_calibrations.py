"""Calibrations in Redis: one per encoder."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from operators.matching.calibration import Calibration, Logistic
from operators.stores.redis.calibrations import PREFIX, RedisCalibrations
from schemas.errors import Misconfigured

FITTED = Calibration(same_item=Logistic(bias=-1.0, weights={"margin": 3.0}))


async def test_each_encoder_has_its_own(client: Redis) -> None:
    calibrations = RedisCalibrations(client)
    await calibrations.write("clip-1", FITTED)
    assert await calibrations.read("clip-1") == FITTED
    assert await calibrations.read("clip-2") is None


async def test_one_of_another_version_is_to_be_fitted_again(client: Redis) -> None:
    await client.set(f"{PREFIX}clip-1", '{"older": true}')
    with pytest.raises(Misconfigured, match="looksync calibrate"):
        await RedisCalibrations(client).read("clip-1")
