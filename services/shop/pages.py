"""The pages: the feed, a look, a product; and their pictures."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.api.context import Api
from services.api.look_pictures import small_jpeg
from services.api.pictures import jpeg_response
from services.api.problems import not_found
from services.shop.look_views import newest_looks, read_look
from services.shop.product_pictures import ProductPictures
from services.shop.product_views import read_product
from services.shop.rendering import fragment, page
from services.shop.routing import find_store
from services.shop.storefronts import Storefront, preferred

Store = Annotated[Storefront, Depends(find_store)]


def pages_router(api: Api) -> APIRouter:
    """The routes of pages and pictures."""
    router = APIRouter()
    pictures = ProductPictures(api)

    @router.get("/")
    async def entrance(accept_language: Annotated[str, Header()] = "") -> RedirectResponse:
        """To the storefront of the browser's language."""
        target = f"/{preferred(accept_language).path}"
        headers = {"Vary": "Accept-Language", "Cache-Control": "private, no-cache"}
        return RedirectResponse(target, HTTPStatus.FOUND, headers)

    @router.get("/pictures/looks/{look_id}")
    async def look_picture(
        look_id: str,
        number: Annotated[int, Query(ge=0, le=8)] = 0,
        small: bool = False,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """A look's picture, or one of its reference pictures."""
        jpeg = await api.pictures.read(look_id, number)
        if small and jpeg is not None:
            jpeg = await asyncio.to_thread(small_jpeg, jpeg)
        return jpeg_response(jpeg, if_none_match, public=True)

    @router.get("/pictures/products/{key:path}")
    async def product_picture(
        key: str, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """A product's picture."""
        return jpeg_response(await api.parts.match.thumbnails.get(key), if_none_match, public=True)

    @router.get("/pictures/large/{number}/{key:path}")
    async def large_picture(
        key: str,
        number: Annotated[int, Path(ge=0)],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """One of a product's pictures, as large as its page shows it."""
        return jpeg_response(await pictures.read(key, number), if_none_match, public=True)

    @router.get("/{store}")
    async def feed(store: Store, request: Request, cursor: str | None = None) -> HTMLResponse:
        """The newest looks; the next ones alone when htmx asks."""
        looks, after = await newest_looks(api, store, cursor)
        if cursor is not None and request.headers.get("hx-request") == "true":
            return fragment("_looks.html", store, looks=looks, after=after, whole=False)
        first = cursor is None
        return page("feed.html", store, request, looks=looks, after=after, first=first, whole=True)

    @router.get("/{store}/looks/{look_id}")
    async def look(store: Store, look_id: str, request: Request) -> HTMLResponse:
        """A look with its layers and their products; or that it is being matched."""
        view = await read_look(api, look_id, store)
        if view is None:
            if not (await api.parts.kept.is_accepted(look_id) or await api.pictures.count(look_id)):
                raise not_found(f"look {look_id}")
            return page("pending.html", store, request, look_id=look_id)
        return page("look.html", store, request, look=view)

    @router.get("/{store}/looks/{look_id}/sheet")
    async def sheet(store: Store, look_id: str) -> HTMLResponse:
        """The layers of a look, to be shown above the feed."""
        view = await read_look(api, look_id, store)
        if view is None:
            raise not_found(f"look {look_id}")
        return fragment("_sheet.html", store, look=view)

    @router.get("/{store}/products/{key:path}")
    async def product(
        store: Store, key: str, request: Request, look: str | None = None
    ) -> HTMLResponse:
        """A product as it is now; 410 once it is no longer sold."""
        view = await read_product(api, key, store, look)
        if view is None:
            raise not_found(f"product {key}")
        status = HTTPStatus.GONE if view.card.facts.state == "gone" else HTTPStatus.OK
        return page("product.html", store, request, status, product=view)

    return router
