"""Strict query parameters: anything that is not clearly valid gets 422."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from fastapi import Request

Query = TypeVar("Query", bound=BaseModel)
MAX_LIMIT = 10_000
MAX_BEST = 100
_MAX_OFFSET = 2**63 - 1
MAX_ID = 2**31 - 1


def parse_whole_number(value: str | int) -> int:
    """Parse digits only. Pydantic would also accept "1_000" and "10.0". Defaults are passed in as numbers."""
    if not re.fullmatch(r"-?[0-9]{1,19}", str(value)):
        raise PydanticCustomError("whole_number", "Input should be a whole number of at most 19 digits")
    return int(value)


def parse_day(text: str) -> date:
    """Parse YYYY-MM-DD only. Pydantic would also accept Unix seconds and times, and Python 20150101."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("day", "Input should be a day written YYYY-MM-DD") from None


WholeNumber = Annotated[int, BeforeValidator(parse_whole_number)]
# The bounds come first: those in FastAPI's `Path` would be missing in the OpenAPI document.
Id = Annotated[int, Field(ge=0, le=MAX_ID), BeforeValidator(parse_whole_number)]
Day = Annotated[date, BeforeValidator(parse_day)]


class NoParameters(BaseModel):
    """The query of an endpoint without parameters. A misspelt name is an error."""

    model_config = ConfigDict(extra="forbid")


class Paging(NoParameters):
    """The part of the rows to return."""

    offset: WholeNumber = Field(default=0, ge=0, le=_MAX_OFFSET, description="How many rows to skip, by default none.")
    limit: WholeNumber = Field(
        default=100,
        ge=0,
        le=MAX_LIMIT,
        description="How many rows to return at most, by default 100; 0 gives just the count.",
    )


class BestQuery(NoParameters):
    """How many movies to return."""

    n: WholeNumber = Field(
        default=10, ge=1, le=MAX_BEST, description="How many movies to return at most, by default 10."
    )


class RatingsQuery(Paging):
    """The ratings to return: those of whole UTC days."""

    start_date: Day | None = Field(
        default=None,
        description="The first day (UTC), inclusive. Default: from the first rating.",
        examples=["2015-01-01"],
    )
    end_date: Day | None = Field(
        default=None,
        description="The day after the last (UTC), exclusive. Default: to the last rating.",
        examples=["2015-01-02"],
    )

    cursor: str | None = Field(
        default=None,
        max_length=200,
        description="Where to resume: copied from a `Link` header, alone; or from `Link-Template`, with `offset` and "
        "`limit` within its window.",
    )

    @field_validator("end_date")
    @classmethod
    def _not_before_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start_date")
        if start and end and end < start:
            raise PydanticCustomError("reversed", "Input should not be before start_date")
        return end


def read_query(model: type[Query], request: Request) -> Query:
    """Parse the query of a request as FastAPI would, in a quarter of the time.

    Raises:
        RequestValidationError: A parameter is not valid.
    """
    try:
        text = request.scope["query_string"].decode("latin-1")
        return model.model_validate(dict(parse_qsl(text, keep_blank_values=True)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**wrong, "loc": ("query", *wrong["loc"])} for wrong in found]) from None


def documented_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return the parameters of ``read_query`` for an OpenAPI document."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.pop("description"),
            "schema": _sent(schema),
        }
        for name, schema in model.model_json_schema()["properties"].items()
    ]


def _sent(schema: dict[str, Any]) -> dict[str, Any]:
    # A query has no null. Documented defaults are omitted, because generated clients would send them: next to a
    # cursor, where they select other rows, and as a limit on what would otherwise be the whole window.
    kinds = schema.pop("anyOf", [{}])
    schema.pop("default", None)
    return {**kinds[0], **schema}
