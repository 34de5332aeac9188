"""The current ranking of a kind, and the course of a movie through the rankings."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
