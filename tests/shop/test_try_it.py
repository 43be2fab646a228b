"""Trying a picture: nothing is stored, and layers can be changed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from operators.budget import Budget
from operators.images.fetch import PictureFetcher
from operators.picture import Picture
from schemas.attributes import Department
from schemas.looks import ImageReference
from schemas.money import Money
from services.shop import try_it
from services.shop.storefronts import STOREFRONTS
from services.shop.try_it import Tuned
from tests.api.conftest import Served
from tests.api.requests import png
from tests.shop.conftest import Visit

HTMX = {"HX-Request": "true"}
RED = {"layer": "top", "x0": "30", "y0": "20", "x1": "70", "y1": "45"}


def picture() -> dict[str, tuple[str, bytes, str]]:
    return {"image": ("look.png", png(), "image/png")}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[ImageReference]:
    """What is fetched and decoded, in this order."""
    fetched: list[ImageReference] = []
    fetch = PictureFetcher.fetch

    async def noting(self: PictureFetcher, reference: ImageReference, *rest: Any) -> Picture:
        fetched.append(reference)
        return await fetch(self, reference, *rest)

    monkeypatch.setattr(PictureFetcher, "fetch", noting)
    return fetched


async def tune(served: Served, **fields: str) -> list[str]:
    """Keys of the products that are found for the layer."""
    answer = await served.client.post(
        "/in-en/try/layer", files=picture(), data={**RED, **fields}, headers=HTMX
    )
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-live="([^"]+)"', answer.text)


async def test_a_picture_is_matched_and_not_kept(visit: Visit) -> None:
    async with visit() as served:
        answer = await served.client.post("/in-en/try", files=picture(), headers=HTMX)
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert answer.text.count("<rect") == 3
        assert 'value="red top striped' in answer.text.lower() or 'name="query"' in answer.text
        for key in ("a:shirt", "a:jeans", "a:boots"):
            assert f'href="/in-en/products/{key}"' in answer.text
        assert await served.parts.kept.newest(10) == []


async def test_a_picture_is_decoded_once(visit: Visit, decoded: list[ImageReference]) -> None:
    async with visit() as served:
        for headers in ({}, HTMX):
            await served.client.post("/in-en/try", files=picture(), headers=headers)
            assert len(decoded) == 1
            decoded.clear()


async def test_it_works_without_script(visit: Visit) -> None:
    async with visit() as served:
        answer = await served.client.post("/in-en/try", files=picture())
        assert "<html" in answer.text
        assert 'src="data:image/jpeg;base64,' in answer.text, "its own picture is shown"


async def test_words_a_box_and_filters_change_the_products(visit: Visit) -> None:
    async with visit() as served:
        assert (await tune(served, query="red top striped shirt"))[0] == "a:shirt"
        wall = {"x0": "0", "y0": "0", "x1": "8", "y1": "8"}
        assert (await tune(served, query="blue top striped t-shirt", **wall))[0] == "a:t-shirt"
        below = {"layer": "bottom", "y0": "50", "y1": "75"}
        assert await tune(served, **below) == ["a:jeans"]
        assert await tune(served, brand="nobody's") == []
        assert await tune(served, max_price="0.01") == []
        assert await tune(served, size="ALPHA:XXL") == []


def test_prices_are_read_as_people_write_them() -> None:
    india = STOREFRONTS["in-hi"]
    for text in ("100000", "1,00,000", " 100,000.00 "):
        tuned = Tuned(layer=Department.TOP, max_price=text)
        assert tuned.preferences(india).max_price == Money(amount_minor=10_000_000, currency="INR")


@pytest.mark.parametrize("wrong", [{"x0": "90"}, {"max_price": "cheap"}, {"layer": "moon"}])
async def test_what_makes_no_sense_is_refused_in_place(visit: Visit, wrong: dict[str, str]) -> None:
    async with visit() as served:
        answer = await served.client.post(
            "/in-en/try/layer", files=picture(), data={**RED, **wrong}, headers=HTMX
        )
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "<html" not in answer.text


async def test_what_is_no_picture_is_refused(visit: Visit) -> None:
    async with visit() as served:
        answer = await served.client.post("/jp/try", files={"image": ("a.png", b"no picture")})
        assert answer.status_code == 422
        assert "写真を読み込めませんでした" in answer.text


async def test_many_tries_have_to_wait(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_it, "TRIES_PER_MINUTE", 1)
    async with visit() as served:
        await tune(served)
        answer = await served.client.post("/us/try", files=picture())
        assert answer.status_code == 429
        assert "One moment" in answer.text
        assert int(answer.headers["retry-after"]) > 0


async def test_one_picture_too_many_is_told_to_come_again(
    visit: Visit, decoded: list[ImageReference]
) -> None:
    async with visit(in_flight=1, waiting=0) as served:
        async with served.api.admission.slot(Budget.of(30)):
            answer = await served.client.post("/us/try", files=picture())
        assert answer.status_code == 503
        assert "We are busy right now" in answer.text
        assert answer.headers["retry-after"] == "1"
        assert decoded == [], "it costs nothing but its bytes"
