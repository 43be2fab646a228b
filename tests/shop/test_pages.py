"""From a look to its layers, a product, and its shop."""

from __future__ import annotations

import asyncio
import gzip
import io
import re

import pytest
from PIL import Image

from services.shop.rendering import STATIC
from tests.api.conftest import Served
from tests.api.requests import image, png
from tests.matching.painted import outfit
from tests.shop.conftest import Visit, change, send_look

LOOK = "/in-en/looks/look-1"


async def page(served: Served, path: str, status: int = 200, **headers: str) -> str:
    answer = await served.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


async def test_a_visitor_goes_from_a_look_to_a_shop(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served)
        feed = await page(served, "/in-en")
        assert f'href="{LOOK}"' in feed
        assert f'hx-get="{LOOK}/sheet"' in feed, "the shop icon opens the layers in place"
        sheet = await page(served, f"{LOOK}/sheet")
        look = await page(served, LOOK)
        for text in (sheet, look):
            for layer in ("Top", "Bottom", "Shoes"):
                assert f">{layer}</h" in text
            assert 'href="/in-en/products/a:shirt?look=look-1"' in text
        assert look.count("<rect") == 3, "a box for each layer"
        assert look.count('href="#piece-1"') == 2, "which is also in the list of buttons"
        product = await page(served, "/in-en/products/a:shirt?look=look-1")
        assert "Alike" not in product.partition("Complete the look")[0]
        assert "/in-en/products/a:jeans" in product.partition("Complete the look")[2]
        assert "/in-en/products/a:blouse" in product.partition("Similar products")[2]
        buy = re.search(r'href="(/r/[^"]+)" rel="sponsored noopener"', product)
        assert buy is not None
        gone = await served.client.get(buy.group(1))
        assert gone.status_code == 410, "the painted products have no page in a shop"


async def test_a_product_that_was_deleted_has_a_page_that_says_so(visit: Visit) -> None:
    async with visit() as served:
        ledger = served.parts.match.ledger
        entry = await ledger.read("a:shirt")
        assert entry is not None
        await ledger.write(entry.model_copy(update={"deleted_version": 2}))
        product = await page(served, "/in-en/products/a:shirt", 410)
        assert 'data-state="gone"' in product
        assert "/r/" not in product
        assert "/pictures/large/" not in product
        assert "/in-en/products/a:blouse" in product.partition("Similar products")[2]


async def test_pictures_of_looks_and_products_are_served_and_revalidated(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served, reference_images=[image()])
        for path in (
            "/pictures/looks/look-1",
            "/pictures/looks/look-1?number=1",
            "/v1/looks/look-1/picture",
        ):
            answer = await served.client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
            kept_by = "private" if path.startswith("/v1/") else "public"
            assert answer.headers["cache-control"] == f"{kept_by}, max-age=3600"
            again = await served.client.get(path, headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert (await served.client.get("/pictures/looks/look-1?number=2")).status_code == 404
        assert (await served.client.get("/v1/looks/other/picture")).status_code == 404


async def test_only_the_picture_that_leads_the_feed_is_large(visit: Visit) -> None:
    async with visit() as served:
        wide = Image.effect_noise((900, 1350), 40).convert("RGB")
        for number in range(3):
            await send_look(served, f"look-{number}")
        await send_look(served, "look-3", reference_images=[image(wide)])
        feed = await page(served, "/in-en")
        lead, *tiles = re.findall(r'<img src="([^"]+)"', feed)
        assert lead == "/pictures/looks/look-3"
        assert tiles == [f"/pictures/looks/look-{number}?small=true" for number in (2, 1, 0)]
        assert feed.count('fetchpriority="high"') == 1
        assert feed.count('loading="lazy"') == 3
        large = await served.client.get("/pictures/looks/look-3?number=1")
        small = await served.client.get("/pictures/looks/look-3?number=1&small=true")
        assert Image.open(io.BytesIO(small.content)).size == (360, 540)
        assert len(small.content) < len(large.content) / 1.5


async def test_a_product_shows_the_other_looks_that_wear_it(visit: Visit) -> None:
    async with visit() as served:
        for number in range(4):
            await send_look(served, f"look-{number}")
        product = await page(served, "/in-en/products/a:shirt?look=look-3")
        _, _, worn = product.partition("Looks that wear it")
        found = re.findall(r'href="/in-en/looks/(look-\d)"', worn)
        assert found == ["look-2", "look-1", "look-0"], "the newest first"
        assert "Looks that wear it" not in await page(served, "/in-en/products/a:t-shirt")


async def test_a_product_has_all_its_pictures(visit: Visit) -> None:
    async with visit() as served:
        await change(served, "a:shirt", image_urls=["file:///none.png", "file:///none.png"])
        await served.parts.match.thumbnails.put("a:shirt", outfit())
        text = await page(served, "/in-en/products/a:shirt")
        first, second = re.findall(r'src="(/pictures/large/[^"]+)"', text)
        answer = await served.client.get(first)
        assert answer.headers["content-type"] == "image/jpeg", "the thumbnail replaces it"
        assert (await served.client.get(second)).status_code == 404


async def test_reference_pictures_have_their_products_directly_below(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served, reference_images=[image()])
        _, _, below = (await page(served, LOOK)).partition("Inspired by")
        assert 'src="/pictures/looks/look-1?number=1"' in below
        assert "/in-en/products/a:boots" in below


async def test_a_look_that_is_not_matched_yet_waits(visit: Visit) -> None:
    async with visit() as served:
        await served.client.post("/v1/looks", json={"look_id": "look-1", "image": image()})
        waiting = await page(served, LOOK)
        assert "Matching this look" in waiting
        assert 'data-look="look-1"' in waiting, "the page follows it"


async def test_a_look_with_nothing_that_fits_says_so(visit: Visit) -> None:
    async with visit() as served:
        served.parts.match.index.objects.clear()  # type: ignore[attr-defined]
        await send_look(served)
        assert (await page(served, LOOK)).count("No product of this kind is sold here yet") == 3
        assert "No looks yet" in await page(served, "/in-en"), (
            "the feed has only what can be bought"
        )


async def test_a_refused_look_says_why(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served, image={"url": "file:///etc/passwd"})
        text = await page(served, LOOK)
        assert "<h1>This picture could not be matched</h1>" in text
        assert "could not be read" in text


async def test_looks_of_other_markets_are_not_in_the_feed(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served)
        assert "look-1" not in await page(served, "/us")


@pytest.mark.parametrize(
    ("languages", "path"),
    [
        ("hi-IN,hi;q=0.9,en;q=0.8", "/in-hi"),
        ("en-IN,en;q=0.9", "/in-en"),
        ("ja", "/jp"),
        ("en-US,en;q=0.5", "/us"),
        ("fr, ja;q=0.3", "/jp"),
        ("fr;q=x, *", "/us"),
        ("", "/us"),
    ],
)
async def test_the_entrance_leads_to_the_browsers_language(
    visit: Visit, languages: str, path: str
) -> None:
    async with visit() as served:
        answer = await served.client.get("/", headers={"accept-language": languages})
        assert (answer.status_code, answer.headers["location"]) == (302, path)
        assert answer.headers["vary"] == "Accept-Language"


async def test_no_page_needs_an_inline_script_or_style(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served)
        paths = ["/in-en", LOOK, "/in-en/products/a:shirt", "/in-en/none"]
        answers = await asyncio.gather(*map(served.client.get, paths))
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", answer.text)
            for picture in re.findall("<img[^>]*>", answer.text):
                assert re.search(r' alt="', picture), picture
                assert re.search(r' width="\d+" height="\d+"', picture), "so nothing moves"


async def test_pages_are_small(visit: Visit) -> None:
    async with visit() as served:
        for number in range(12):
            await send_look(served, f"look-{number}")
        css = len(gzip.compress((STATIC / "shop.css").read_bytes()))
        for path in ("/in-en", LOOK, "/in-en/products/a:shirt"):
            answer = await served.client.get(path)
            assert answer.headers["content-encoding"] == "gzip"
            assert len(gzip.compress(answer.content)) + css < 60_000
        scripts = sum(len(gzip.compress(one.read_bytes())) for one in STATIC.glob("*.js"))
        assert scripts < 40_000


async def test_static_files_are_kept_by_browsers(visit: Visit) -> None:
    async with visit() as served:
        feed = await page(served, "/us")
        for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', feed):
            answer = await served.client.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


async def test_problems_are_pages_for_people_and_details_for_programs(visit: Visit) -> None:
    async with visit(max_body_bytes=2048) as served:
        missing = await page(served, "/jp/looks/none", 404)
        assert '<html lang="ja-JP">' in missing
        assert "ページが見つかりません" in missing
        assert "find this page" in await page(served, "/nowhere", 404)
        for path in ("/v1/looks/none", "/v1/nowhere"):
            answer = await served.client.get(path, headers={"accept": "*/*"})
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await served.client.delete("/v1/products")).status_code == 405
        assert "no longer sold" not in await page(served, "/r/none", 404)
        large = await served.client.post(
            "/in-en/try", files={"image": ("a.png", png() + b"x" * 4096)}
        )
        assert large.status_code == 413
        assert "The picture is too large" in large.text
