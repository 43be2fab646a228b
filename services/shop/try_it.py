"""Try a picture of one's own: its layers and their products, now; nothing is stored."""

import asyncio
import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, ValidationError

from operators.matching.browse import Shown, Wanted, by_region
from schemas.api import PreviewRequest
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, ImageRefused, LookSyncError
from schemas.looks import ImageReference, LookMatches, Preferences, Region
from schemas.money import Money
from services.api.context import Api
from services.api.look_pictures import reduced_jpeg
from services.api.preview import match_now
from services.api.problems import ApiProblem
from services.shop.cards import Card, card_of, with_reason
from services.shop.look_views import look_view
from services.shop.rendering import fragment, page
from services.shop.routing import find_store
from services.shop.size_charts import size_label, usual_sizes
from services.shop.storefronts import Storefront

TRY_SECONDS = 15.0
"""Of a picture's matching: people wait for their own picture longer than programs do."""
TRIES_PER_MINUTE = 40
"""Per address: a change of a box or a word counts as one."""
Store = Annotated[Storefront, Depends(find_store)]


class Tuned(BaseModel):
    """A layer as its form sends it; edges in per cent of the picture."""

    layer: Department
    query: str = Field("", max_length=300)
    brand: str = Field("", max_length=100)
    size: str = Field("", max_length=30)
    max_price: str = Field("", max_length=15)
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 100.0
    y1: float = 100.0

    def region(self) -> Region:
        """The box. Raises ValidationError."""
        edges = {name: getattr(self, name) / 100 for name in ("x0", "y0", "x1", "y1")}
        return Region.model_validate(edges)

    def preferences(self, store: Storefront) -> Preferences:
        """The filters. Raises InvalidOperation or ValidationError for an invalid price."""
        price = self.max_price.strip().replace(",", "")
        return Preferences(
            brands=(self.brand.strip(),) if self.brand.strip() else (),
            sizes={self.layer: (self.size,)} if self.size else {},
            max_price=Money.from_major(Decimal(price), store.currency) if price else None,
        )


def try_router(api: Api) -> APIRouter:
    """The routes of trying a picture."""
    router = APIRouter()

    async def limited(request: Request) -> None:
        address = request.client.host if request.client else "unknown"
        await api.access.count(f"shop/{address}", TRIES_PER_MINUTE)

    @router.get("/{store}/try")
    async def start(store: Store, request: Request) -> HTMLResponse:
        """Choose a picture."""
        return page("try.html", store, request, found=None)

    @router.post("/{store}/try", dependencies=[Depends(limited)])
    async def match(store: Store, image: UploadFile, request: Request) -> HTMLResponse:
        """The layers of a picture and their products."""
        data = ImageReference.model_construct(url=None, data=await image.read())
        asked = PreviewRequest.model_construct(
            image=data, market=store.market, deadline_seconds=TRY_SECONDS
        )
        preview = await match_now(api, asked)
        if preview.picture is None:
            raise _refusal(preview.event)
        view = look_view(preview.event, preview.picture.size, store, look_id=None)
        context: Mapping[str, Any] = {
            "found": view,
            "sizes": {
                layer.layer: [(one, size_label(one)) for one in usual_sizes(layer.layer, store)]
                for layer in view.layers
            },
        }
        if request.headers.get("hx-request") == "true":
            return fragment("_tried.html", store, own=None, **context)
        jpeg = await asyncio.to_thread(reduced_jpeg, preview.picture)
        own = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
        return page("try.html", store, request, own=own, **context)

    @router.post("/{store}/try/layer", dependencies=[Depends(limited)])
    async def tune(store: Store, image: UploadFile, request: Request) -> HTMLResponse:
        """The products of a layer after its box, words or filters were changed."""
        fields = {name: text for name, text in (await request.form()).items() if name != "image"}
        try:
            tuned = Tuned.model_validate(fields)
            region, preferences = tuned.region(), tuned.preferences(store)
        except (ValidationError, InvalidOperation) as error:
            raise ApiProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "a box or a price is not valid"
            ) from error
        data = ImageReference.model_construct(url=None, data=await image.read())
        wanted = Wanted(market=store.market, department=tuned.layer, preferences=preferences)
        budget = api.budget(TRY_SECONDS)
        async with api.admission.slot(budget), budget.enforced("search"):
            picture = (await api.parts.match.pictures.fetch(data)).image
            shown = Shown(picture, region, tuned.query)
            cards = await _search(api, shown, wanted, store)
        return fragment("_tuned.html", store, cards=cards)

    return router


def _refusal(event: LookMatches) -> LookSyncError:
    """Why the picture of ``event`` was not even decoded."""
    kind = DeadlineExceeded if event.refused == "deadline" else ImageRefused
    return kind(event.refused_because or "", reason=event.refused)


async def _search(api: Api, shown: Shown, wanted: Wanted, store: Storefront) -> list[Card]:
    moment = datetime.now(UTC)
    count = api.settings.api.products_shown
    found = await by_region(shown, wanted, api.parts.match, count, moment)
    return [
        with_reason(card_of(one.entry, store, moment), one.entry.attributes, shown.text, store)
        for one in found
    ]
