"""The evidence of a campaign in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tests.campaign.checks.history import History
from tests.campaign.journal import Fact, facts_in
from tests.campaign.plan import Plan


@dataclass(frozen=True)
class Evidence:
    """What a campaign has left.

    Attributes:
        folder: Its folder.
        plan: Its plan.
        facts: Its journal, by kind.
    """

    folder: Path
    plan: Plan
    facts: dict[str, list[Fact]]

    @classmethod
    def of(cls, folder: Path) -> Evidence:
        """Read the evidence in a folder."""
        plan = Plan(**json.loads((folder / "plan.json").read_text()))
        return cls(folder, plan, facts_in(folder / "journal.ndjson"))

    @property
    def tokens(self) -> dict[str, str]:
        """The tokens of users, by name."""
        found: dict[str, str] = json.loads((self.folder / "tokens.json").read_text())
        return found

    @cached_property
    def served(self) -> pl.DataFrame:
        """The ratings that the server sends after a restart."""
        return pl.read_parquet(self.folder / "served.parquet")

    @cached_property
    def versions(self) -> dict[str, int]:
        """The version of each snapshot, by name."""
        found: dict[str, int] = json.loads((self.folder / "snapshots.json").read_text())
        return found

    @cached_property
    def history(self) -> History:
        """The order of the posts."""
        return History.of(self.plan, self.facts["posted"], self.facts["acknowledged"], self.versions)

    def manifest(self, fact: Fact) -> dict[str, Any] | None:
        """Return the manifest of a file in a fact, or None if there was none."""
        name = fact["manifest"]
        return json.loads((self.folder / "kept" / name).read_bytes()) if name else None
