"""The models of a registry: how they were judged, and which one is live."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
