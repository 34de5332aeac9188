"""The days of a dataset: a calendar of all days, and a page for each day."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
