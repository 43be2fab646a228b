"""Errors as problem details (RFC 9457); ``code`` is the reason code that events carry, too."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    LookSyncError,
    Misconfigured,
    Rejected,
    Unavailable,
)

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

RETRY_SECONDS = 2
"""When to come again after a server of ours did not answer."""


class Problem(BaseModel):
    """What went wrong, for programs and for people."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    code: str = Field(description="Stable; e.g. too-large, overloaded, not-found.")
    detail: str
    errors: list[dict[str, str]] = Field([], description="Fields that are wrong: field, message.")


class ApiProblem(Exception):
    """Ends a request with this answer."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers or {}


def not_found(what: str) -> ApiProblem:
    """There is no ``what``."""
    return ApiProblem(HTTPStatus.NOT_FOUND, "not-found", f"there is no {what}")


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with problem details."""

    @app.exception_handler(ApiProblem)
    async def on_problem(_: Request, error: ApiProblem) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(LookSyncError)
    async def on_our_error(_: Request, error: LookSyncError) -> JSONResponse:
        problem = problem_of(error)
        headers = {}
        if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            log.warning("request not answered", error=str(error))
            headers["Retry-After"] = str(RETRY_SECONDS)
        return _answer(problem, headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [
            {"field": ".".join(map(str, one["loc"])), "message": str(one["msg"])}
            for one in error.errors()
        ]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
        return _answer(
            problem_details(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, wrong)
        )

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "-")
        headers = dict(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(request))
        return _answer(problem_details(status, code, str(error.detail)), headers)

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error)
        return _answer(
            problem_details(
                HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "an error of ours; logged"
            )
        )


def problem_details(
    status: HTTPStatus, code: str, detail: str, errors: Sequence[dict[str, str]] = ()
) -> Problem:
    """The body of an answer with ``status``."""
    return Problem(
        title=status.phrase, status=status, code=code, detail=detail, errors=list(errors)
    )


def problem_of(error: LookSyncError) -> Problem:
    """The body of the answer to a request that ended with ``error``."""
    # What is wrong with our settings is for the log, not for clients.
    detail = "the service cannot answer now" if isinstance(error, Misconfigured) else str(error)
    return problem_details(_status_of(error), error.reason, detail)


def _status_of(error: LookSyncError) -> HTTPStatus:
    """The status that says what to do after ``error``."""
    match error:
        case ImageRefused(reason="too-large"):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case Rejected():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case DeadlineExceeded():
            return HTTPStatus.GATEWAY_TIMEOUT
        case Unavailable() | Misconfigured():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _methods(request: Request) -> list[str]:
    """Of all routes with the request's path; Starlette names only the first one's."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def problem_response(problem: ApiProblem) -> JSONResponse:
    """``problem`` as a response."""
    return _answer(problem_details(problem.status, problem.code, str(problem)), problem.headers)


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)
