"""A plugin of Airflow with a page that does nothing: the limit. It is copied to the plugins folder."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI(openapi_url=None)


@app.get("/")
def bare() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse("<!doctype html><html lang=en><title>Bare</title><h1>Bare</h1></html>")


class BarePlugin(AirflowPlugin):
    """The registration."""

    name = "bare"
    fastapi_apps = [{"app": app, "url_prefix": "/bare", "name": "Bare"}]  # noqa: RUF012 - as Airflow defines it
