"""Parameters of requests, strictly: what is not plainly right is 422, never a guess."""

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

MAX_LIMIT = 10_000
MAX_OFFSET = 2**63 - 1
MAX_ID = 2**31 - 1


def parse_whole_number(value: str | int) -> int:
    """Read digits only: pydantic would take "1_000" and "10.0" too. A default comes as the number it is."""
    if not re.fullmatch(r"-?[0-9]{1,19}", str(value)):
        raise PydanticCustomError("whole_number", "Input should be a whole number of at most 19 digits")
    return int(value)


def parse_day(text: str) -> date:
    """Read YYYY-MM-DD only: pydantic would take Unix seconds and points in time too, and Python 20150101."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("day", "Input should be a day written YYYY-MM-DD") from None


WholeNumber = Annotated[int, BeforeValidator(parse_whole_number)]
Day = Annotated[date, BeforeValidator(parse_day)]


class NoParameters(BaseModel):
    """The query of an address that takes no parameters. A misspelt name must not be ignored silently."""

    model_config = ConfigDict(extra="forbid")


class Paging(NoParameters):
    """Which part of the rows an answer holds."""

    offset: WholeNumber = Field(default=0, ge=0, le=MAX_OFFSET, description="How many rows to skip.")
    limit: WholeNumber = Field(
        default=100, ge=0, le=MAX_LIMIT, description="How many rows to return at most; 0 gives just the count."
    )


class RatingsQuery(Paging):
    """Which ratings to return: those of whole days in UTC."""

    start_date: Day | None = Field(
        default=None,
        description="The first day (UTC), inclusive. Default: from the first rating on.",
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
        description="Where to go on: copied from a header `Link`, with no other parameter beside it.",
    )

    @field_validator("end_date")
    @classmethod
    def _not_before_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start_date")
        if start and end and end < start:
            raise PydanticCustomError("reversed", "Input should not be before start_date")
        return end
