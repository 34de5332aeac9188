"""What the rows of the answers look like, for the OpenAPI document."""

from pydantic import BaseModel, Field


class Rating(BaseModel):
    """One rating."""

    movieId: int = Field(examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    rating: float = Field(ge=0.5, le=5, multiple_of=0.5, description="Stars.", examples=[4.0])
    timestamp: int = Field(description="When, in Unix seconds (UTC).", examples=[1260759205])
    userId: int = Field(examples=[1])  # noqa: N815 - GroupLens' name, and the wire's


class Movie(BaseModel):
    """One movie. The sample lacks title and year of a few."""

    movieId: int = Field(examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    title: str | None = Field(examples=["Cinema Paradiso (Nuovo cinema Paradiso)"])
    year: int | None = Field(examples=[1989])
    genres: str | None = Field(description="Separated by `|`.", examples=["Drama"])


class User(BaseModel):
    """One user."""

    userId: int = Field(examples=[1])  # noqa: N815 - GroupLens' name, and the wire's
    num_ratings: int = Field(description="How many ratings the user gave.", examples=[20])


class Accepted(BaseModel):
    """What became of posted ratings: they are on disk, and the next answer has them."""

    accepted: int = Field(description="How many ratings were posted.", examples=[2])


class Health(BaseModel):
    """A sign of life."""

    status: str = Field(examples=["ok"])
