"""Recommendations for a user or for liked movies, and the movies similar to one."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
