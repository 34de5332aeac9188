"""The tab on a task instance: how it did its work, and what it wrote."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
