"""The same API as a team usually writes it: FastAPI, SQLAlchemy's ORM, SQLite, pages by OFFSET, totals by COUNT."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Index, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """All tables."""


class Rating(Base):
    """A row, with an index in the order of the pages."""

    __tablename__ = "ratings"
    __table_args__ = (Index("ratings_in_order", "timestamp", "userId", "movieId"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    movieId: Mapped[int]  # noqa: N815 - GroupLens' name, and the wire's
    rating: Mapped[float]
    timestamp: Mapped[int]
    userId: Mapped[int]  # noqa: N815 - GroupLens' name, and the wire's


class RatingOut(BaseModel):
    """A row as it is sent."""

    model_config = ConfigDict(from_attributes=True)

    movieId: int  # noqa: N815 - GroupLens' name, and the wire's
    rating: float
    timestamp: int
    userId: int  # noqa: N815 - GroupLens' name, and the wire's


class Page(BaseModel):
    """A response."""

    result: list[RatingOut]
    offset: int
    limit: int
    total: int


engine = create_engine(os.environ["DATABASE_URL"])
new_session = sessionmaker(engine)
app = FastAPI()


def session() -> Iterator[Session]:
    """Yield a session for a request."""
    with new_session() as opened:
        yield opened


def authenticated(credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> None:
    """Check user and password, as FastAPI's documentation shows it."""
    user = secrets.compare_digest(credentials.username.encode(), os.environ["API_USER"].encode())
    password = secrets.compare_digest(credentials.password.encode(), os.environ["API_PASSWORD"].encode())
    if not (user and password):
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})


@app.get("/ratings", response_model=Page, dependencies=[Depends(authenticated)])
def list_ratings(
    opened: Annotated[Session, Depends(session)],
    start_date: date | None = None,
    end_date: date | None = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=10_000)] = 100,
) -> dict[str, Any]:
    """Return the ratings of a window of days."""
    window = []
    if start_date:
        window.append(Rating.timestamp >= _midnight(start_date))
    if end_date:
        window.append(Rating.timestamp < _midnight(end_date))
    total = opened.scalar(select(func.count()).select_from(Rating).where(*window))
    ordered = select(Rating).where(*window).order_by(Rating.timestamp, Rating.userId, Rating.movieId)
    rows = opened.scalars(ordered.offset(offset).limit(limit)).all()
    return {"result": rows, "offset": offset, "limit": limit, "total": total}


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
