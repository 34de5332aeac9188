"""A plugin of Airflow with pages that do almost nothing: the limit. It is copied to the plugins folder."""

from __future__ import annotations

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import ObjectStoragePath
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI(openapi_url=None)


@app.get("/")
def bare() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse("<!doctype html><html lang=en><title>Bare</title><h1>Bare</h1></html>")


@app.get("/root")
def look() -> HTMLResponse:
    """Look for the data root with Airflow's own library, which loads those of the storage."""
    found = "Found" if ObjectStoragePath(conf.get("movielens", "data_root")).exists() else "Missing"
    return HTMLResponse(f"<!doctype html><html lang=en><title>Root</title><h1>{found}</h1></html>")


class BarePlugin(AirflowPlugin):
    """The registration."""

    name = "bare"
    fastapi_apps = [{"app": app, "url_prefix": "/bare", "name": "Bare"}]  # noqa: RUF012 - as Airflow defines it
