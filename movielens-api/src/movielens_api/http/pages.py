"""Pages of rows: a slice of a frame in the JSON envelope, encoded without a Python object per row."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel, Field
from starlette.responses import Response

if TYPE_CHECKING:
    import polars as pl

    from movielens_api.http.parameters import Paging

MEDIA_TYPE = "application/json"
Row = TypeVar("Row", bound=BaseModel)


class Page(BaseModel, Generic[Row]):
    """Some rows, and how many there are in all. This model only documents responses; ``page`` writes them."""

    result: list[Row]
    offset: int = Field(description="How many rows were skipped.", examples=[0])
    limit: int = Field(description="How many rows were requested.", examples=[100])
    total: int = Field(description="How many rows there are in all.", examples=[100004])


def page(rows: pl.DataFrame, paging: Paging) -> Response:
    """Respond with the rows that ``paging`` selects."""
    part = rows.slice(paging.offset, paging.limit)
    before, after = envelope(offset=paging.offset, limit=paging.limit, total=rows.height)
    body = BytesIO()
    body.write(before)
    part.write_json(body)
    body.write(after)
    return Response(body.getvalue(), media_type=MEDIA_TYPE)


def envelope(*, offset: int, limit: int, total: int) -> tuple[bytes, bytes]:
    """Return the JSON before and after an array of rows."""
    return b'{"result":', b',"offset":%d,"limit":%d,"total":%d}' % (offset, limit, total)


class Rating(BaseModel):
    """One rating."""

    movieId: int = Field(examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    rating: float = Field(ge=0.5, le=5, multiple_of=0.5, description="Stars.", examples=[4.0])
    timestamp: int = Field(description="When, in Unix seconds (UTC).", examples=[1260759205])
    userId: int = Field(examples=[1])  # noqa: N815 - GroupLens' name, and the wire's


class Movie(BaseModel):
    """One movie. In the sample, a few movies lack title and year."""

    movieId: int = Field(examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    title: str | None = Field(examples=["Cinema Paradiso (Nuovo cinema Paradiso)"])
    year: int | None = Field(examples=[1989])
    genres: str | None = Field(description="Separated by `|`.", examples=["Drama"])


class User(BaseModel):
    """One user."""

    userId: int = Field(examples=[1])  # noqa: N815 - GroupLens' name, and the wire's
    num_ratings: int = Field(description="How many ratings the user gave.", examples=[20])


class SimilarMovie(BaseModel):
    """A movie that is similar to another."""

    rank: int = Field(description="1 is the best.", examples=[1])
    movieId: int = Field(examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    title: str | None = Field(
        description="`null` if the dataset has none.", examples=["Cinema Paradiso (Nuovo cinema Paradiso)"]
    )
    score: float = Field(description="What the movies are ranked by.", examples=[0.31])


class Reason(BaseModel):
    """A movie that the user likes, and what it adds to the score of the recommended one."""

    movieId: int = Field(examples=[1])  # noqa: N815 - GroupLens' name, and the wire's
    title: str | None = Field(description="`null` if the dataset has none.", examples=["Toy Story"])
    rating: float = Field(description="The user's rating, in stars.", examples=[4.5])
    contribution: float = Field(description="The part of the score that comes from this movie.", examples=[0.1])


class Recommendation(SimilarMovie):
    """A movie that is recommended."""

    reasons: list[Reason] = Field(
        description="Up to three movies that the user likes, the largest contribution first. Empty if the movie is "
        "recommended because it is trending."
    )


class Ranking(BaseModel, Generic[Row]):
    """The best movies, best first."""

    result: list[Row]


class Accepted(BaseModel):
    """The result of posting ratings: they are on disk, and the next response contains them."""

    accepted: int = Field(description="How many ratings were posted.", examples=[2])


class Health(BaseModel):
    """The health of the server."""

    status: str = Field(examples=["ok"])


class Readiness(Health):
    """The health of the server and of its recommendations."""

    model: str | None = Field(
        default=None, description="The version of the model that recommends.", examples=["20261129T020000Z-0a1b2c3d"]
    )
    problem: str | None = Field(
        default=None, description="Why it is not the champion of the registry. Ratings are served all the same."
    )
