"""All that follows from the seed of a campaign: users, ratings, and the chance of each part."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import polars as pl

COLUMNS = ["userId", "movieId", "rating", "timestamp"]
SCHEMA = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
FIRST_DAY, DAYS = date(2020, 1, 1), 30
SECONDS_PER_DAY = 86_400
FIRST_SECOND = (FIRST_DAY - date(1970, 1, 1)).days * SECONDS_PER_DAY
WRITERS, FETCHERS = 4, 3
USERS_PER_WRITER = 100_000_000
NEVER_POSTED = 2_000_000_000
"""The lowest userId of ratings that are sent only in part."""
_MOVIES = 1500
_POSTS_PER_DAY = 30
_MANY_ROWS = 3000

Role = Literal["read", "write"]


@dataclass(frozen=True)
class Account:
    """A user of the server.

    Attributes:
        name: The name.
        password: The password.
        role: The role.
        has_token: Whether clients send a token instead of the password.
    """

    name: str
    password: str
    role: Role
    has_token: bool

    def authorization(self, token: str | None) -> str:
        """Return the value of the header ``Authorization``."""
        return f"Bearer {token}" if token else "Basic " + b64encode(f"{self.name}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Plan:
    """A campaign before anything has happened.

    Attributes:
        seed: What everything random follows from.
        rows: The number of ratings before anything is posted.
    """

    seed: int
    rows: int

    @classmethod
    def in_folder(cls, folder: Path, seed: int, rows: int) -> Plan:
        """Return the plan that the folder holds already, or write a new one.

        Raises:
            ValueError: The folder holds a campaign of another seed or size.
        """
        file, wanted = folder / "plan.json", cls(seed, rows)
        if file.exists():
            found = cls(**json.loads(file.read_text()))
            if found != wanted:
                raise ValueError(f"{folder} holds the campaign --seed {found.seed} --rows {found.rows}: continue that")
            return found
        file.write_text(json.dumps(asdict(wanted)))
        return wanted

    def chance(self, *part: str | int) -> Random:
        """Return the chance of a part of the campaign, which no other part changes."""
        return Random(f"{self.seed} {part}")

    @property
    def has_tls(self) -> bool:
        """Whether the server uses TLS."""
        return self.chance("tls").random() < 0.5

    @property
    def server_options(self) -> list[str]:
        """Options of `movielens-api serve`."""
        chance = self.chance("server")
        limit = chance.choice([None, 40, 200])
        return ["--workers", str(chance.choice([2, 3])), *(["--rate-limit", str(limit)] if limit else [])]

    @property
    def owner(self) -> Account:
        """The user whose password is in the server's environment."""
        return self._account("owner", "write", has_token=False)

    @property
    def accounts(self) -> list[Account]:
        """The users in the server's users file: a writer and a reader with a password, and two with a token."""
        roles: list[Role] = ["write", "read"]
        return [
            self._account(f"{role}-{'token' if has_token else 'password'}", role, has_token=has_token)
            for role in roles
            for has_token in (False, True)
        ]

    def _account(self, name: str, role: Role, *, has_token: bool) -> Account:
        digits = self.chance("password", name).getrandbits(64)
        return Account(name, f'Pl\u00e4nt3d <&"/\\+ w%{digits:016x}', role, has_token)

    def secrets(self, tokens: dict[str, str]) -> dict[str, str]:
        """Return all passwords and tokens that nobody may find, by the name of their user."""
        passwords = {account.name: account.password for account in [*self.accounts, self.owner]}
        return passwords | {f"{name}'s token": token for name, token in tokens.items()}

    def dataset(self) -> pl.DataFrame:
        """Return the ratings before anything is posted, all of them different, in canonical order."""
        numbers = np.random.default_rng(self.seed)
        columns = {
            "userId": numbers.integers(1, 5000, self.rows),
            "movieId": numbers.integers(1, _MOVIES, self.rows),
            "rating": numbers.integers(1, 11, self.rows) / 2,
            "timestamp": FIRST_SECOND + numbers.integers(0, DAYS * SECONDS_PER_DAY, self.rows),
        }
        key = ["timestamp", "userId", "movieId"]
        return pl.DataFrame(columns, schema=SCHEMA).unique(key, keep="first", maintain_order=True).sort(key)

    def write_dataset(self, folder: Path) -> None:
        """Write the ratings and movies as GroupLens does."""
        folder.mkdir(exist_ok=True)
        self.dataset().write_csv(folder / "ratings.csv", float_scientific=False)
        movies = "".join(f"{movie},Movie {movie} (2000),Drama\n" for movie in range(1, _MOVIES))
        (folder / "movies.csv").write_text("movieId,title,genres\n" + movies)

    def post(self, writer: int, number: int) -> list[dict[str, Any]]:
        """Return the ratings of a writer's post; no other post has one of them.

        Each writer adds to a day for a while, so that most windows do not change meanwhile.
        """
        chance = self.chance("post", writer, number)
        day = self.chance("day", writer, number // _POSTS_PER_DAY).randrange(DAYS)
        most = min(_MANY_ROWS, self.rows // 50) if chance.random() < 0.05 else 20
        user = (writer + 1) * USERS_PER_WRITER + number
        return [
            self._rating(chance, user, movie, day) for movie in chance.sample(range(1, 5000), chance.randint(1, most))
        ]

    def never_posted(self, number: int) -> list[dict[str, Any]]:
        """Return ratings to send in part."""
        chance = self.chance("never posted", number)
        return [self._rating(chance, NEVER_POSTED + number, movie, 0) for movie in range(1, chance.randint(2, 50))]

    def _rating(self, chance: Random, user: int, movie: int, day: int) -> dict[str, Any]:
        second = FIRST_SECOND + day * SECONDS_PER_DAY + chance.randrange(SECONDS_PER_DAY)
        return {"userId": user, "movieId": movie, "rating": chance.randint(1, 10) / 2, "timestamp": second}


def days_from(first: int, length: int) -> tuple[date, date]:
    """Return the window of some days, counted from the first day of the campaign's ratings."""
    return FIRST_DAY + timedelta(first), FIRST_DAY + timedelta(first + length)


def seconds_of(day: date) -> int:
    """Return the first Unix second of a UTC day."""
    return (day - date(1970, 1, 1)).days * SECONDS_PER_DAY
