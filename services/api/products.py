"""/v1/products: one product, those like it, and search by text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from operators.matching.browse import Wanted, by_text, like_product
from operators.matching.ranked_product import RankedProduct
from operators.vocabulary.views import product_of
from schemas.api import (
    MOST_PRODUCTS,
    OfferedProduct,
    ProductPage,
    ProductQuery,
    ProductSearch,
)
from schemas.catalog import LedgerEntry
from schemas.looks import Preferences
from schemas.money import Money
from services.api.context import Api
from services.api.openapi import KEYED, problems
from services.api.pictures import NOT_MODIFIED, PICTURE, entity_tag, has_tag, jpeg_response
from services.api.problems import ApiProblem, not_found


def products_router(api: Api) -> APIRouter:
    """The routes of products. Keys contain a colon, and may contain slashes."""
    router = APIRouter(
        prefix="/v1/products",
        tags=["products"],
        dependencies=[Depends(api.access.requires("read"))],
    )

    @router.get("", responses=problems("invalid-request", *KEYED))
    async def search_products(asked: Annotated[ProductSearch, Query()]) -> ProductPage:
        """The products nearest to a text, in stock, one per style."""
        match, count = api.parts.match, end_of(asked) + 1
        found = await by_text(asked.q, wanted_products(asked), match, count, datetime.now(UTC))
        return page_of(found, asked, api)

    @router.get("/{key:path}/similar", responses=problems("not-found", "invalid-request", *KEYED))
    async def similar_products(key: str, asked: Annotated[ProductQuery, Query()]) -> ProductPage:
        """The products most like one, of its department unless another layer is asked for."""
        match, count = api.parts.match, end_of(asked) + 1
        found = await like_product(key, wanted_products(asked), match, count, datetime.now(UTC))
        if found is None:
            raise not_found(f"product {key}")
        return page_of(found, asked, api)

    @router.get("/{key:path}/picture", response_class=Response, responses=PICTURE)
    async def read_product_picture(
        key: str, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """The product's picture as JPEG, its longest side at most 336 pixels."""
        return jpeg_response(await api.parts.match.thumbnails.get(key), if_none_match, public=False)

    @router.get(
        "/{key:path}",
        response_model=OfferedProduct,
        responses=NOT_MODIFIED | problems("not-found", "gone", *KEYED),
    )
    async def read_product(
        key: str, response: Response, if_none_match: Annotated[str | None, Header()] = None
    ) -> OfferedProduct | Response:
        """A product as it is now; 410 once it was deleted."""
        entry = await api.parts.match.ledger.read(key)
        if entry is None:
            raise not_found(f"product {key}")
        if not entry.exists:
            raise ApiProblem(HTTPStatus.GONE, "gone", f"the product {key} is no longer sold")
        offered = offer(entry, api)
        tag = entity_tag(offered.model_dump_json(exclude={"link"}).encode())
        response.headers["ETag"] = tag
        if has_tag(if_none_match, tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        return offered

    return router


def offer(entry: LedgerEntry, api: Api, similarity: float | None = None) -> OfferedProduct:
    """The product of ``entry`` as offered now."""
    return OfferedProduct(
        product=product_of(entry, datetime.now(UTC)),
        in_stock=entry.update.in_stock,
        link=f"/r/{api.links.token(entry.key)}",
        similarity=similarity,
    )


def wanted_products(asked: ProductQuery) -> Wanted:
    """The filters of ``asked``."""
    bounds = {
        name: Money(amount_minor=amount, currency=asked.currency)
        for name, amount in (("min_price", asked.min_price), ("max_price", asked.max_price))
        if amount is not None and asked.currency is not None
    }
    sizes = {asked.layer: asked.size} if asked.layer is not None and asked.size else {}
    preferences = Preferences(brands=asked.brand, colours=asked.colour, sizes=sizes, **bounds)
    return Wanted(asked.market, asked.gender, asked.layer, preferences)


def end_of(asked: ProductQuery) -> int:
    """How many products the asked page and those before it have."""
    return min(asked.cursor + asked.limit, MOST_PRODUCTS)


def page_of(products: Sequence[RankedProduct], asked: ProductQuery, api: Api) -> ProductPage:
    """The asked page of ``products``, the first of all."""
    end = end_of(asked)
    return ProductPage(
        products=[offer(one.entry, api, one.similarity) for one in products[asked.cursor : end]],
        next=str(end) if len(products) > end < MOST_PRODUCTS else None,
    )
