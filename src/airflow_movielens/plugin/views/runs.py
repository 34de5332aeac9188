"""The tab on a Dag run: what the run did."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
