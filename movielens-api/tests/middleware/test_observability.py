"""Metrics, the access log, the server log, and readiness."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from api_testing import Api, Launch, Serving, url_of
from prometheus_client.parser import text_string_to_metric_families

from movielens_api import __version__
from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.cli import main
from movielens_api.observability.access_log import AccessLog
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics(server: Api) -> Samples:
    response = server.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(response.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"movielens_api_{name}", frozenset(labels.items())), 0)


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def entries(path: Path, number: int) -> list[dict[str, Any]]:
    for _ in range(100):
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        if len(lines) >= number:
            break
        time.sleep(0.05)
    assert len(lines) == number
    return [json.loads(line) for line in lines]


def test_requests_are_counted_by_route(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        for path in ("/movies/7", "/movies/8", "/movies/9"):
            server.get(path)
        sent = len(server.get("/ratings").content)
        server.get("/ratings", limit=2)
        server.ask("/ratings", "HEAD")
        Api(server.url, auth=None).get("/users")
        found = metrics(server)
    assert value(found, "requests_total", method="GET", route="/movies/{movieId}", status="200") == 1
    assert value(found, "requests_total", method="GET", route="/movies/{movieId}", status="404") == 2
    assert value(found, "requests_total", method="GET", route="/users", status="401") == 1
    assert value(found, "requests_total", method="HEAD", route="/ratings", status="200") == 1
    assert value(found, "request_duration_seconds_count", method="GET", route="/ratings") == 2
    assert value(found, "rows_total", method="GET", route="/ratings") == 5
    assert value(found, "rows_total", method="HEAD", route="/ratings") == 0
    assert value(found, "sent_bytes_total", method="HEAD", route="/ratings") == 0
    assert sent < value(found, "sent_bytes_total", method="GET", route="/ratings") < 2 * sent
    assert value(found, "requests_in_flight") == 1  # the request itself


def test_the_state_of_the_server(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        found = metrics(server)
    assert value(found, "ratings") == 3
    assert value(found, "info", version=__version__) == 1
    assert found["process_resident_memory_bytes", frozenset()] > 1_000_000


def test_ratings_that_another_process_added_are_counted(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    with Store(tmp_path, small) as store, Store(tmp_path, small, own=False) as other:
        with serving(create_app(small, DEFAULT, store=store)) as server:
            other.add([(9, 9, 1.0, 9)]).result()
            assert value(metrics(server), "ratings") == 4
            store.close()
            assert value(metrics(server), "ratings") == 4, "a store that cannot be read is no reason to say nothing"


def test_nothing_that_clients_make_up_becomes_a_label(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        for number in range(30):
            server.get(f"/made/up/{number}")
            server.session.request(f"MADE{number}", server.url + "/ratings", auth=server.auth, timeout=10)
        found = metrics(server)
    assert value(found, "requests_total", method="GET", route="other", status="404") == 30
    assert not [labels for _, labels in found if "made" in str(labels).lower()]


def test_an_entry_names_user_request_and_result(serving: Serving, small: Catalogue, logged: Path) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog(str(logged)))) as server:
        response = server.ask("/ratings?limit=2", user_agent="me/1")
        server.ask("/n%C3%B6")
        [first, second] = entries(logged, 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first.pop("duration_ms") > 0
    assert first.pop("request") != second["request"]
    first.pop("user")
    assert first == {
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/ratings",
        "query": "limit=2",
        "status": 200,
        "bytes": len(response.content),
        "agent": "me/1",
    }
    assert (second["path"], second["status"]) == ("/nö", 404)


def test_no_secret_and_no_forged_line(serving: Serving, small: Catalogue, logged: Path) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog(str(logged)))) as server:
        server.ask('/%0A{"status":200}%0D%E2%80%A8?x=%0A"\\', user_agent='"}{\x85é'.encode("latin-1").decode("latin-1"))
        [entry] = entries(logged, 1)
        content = logged.read_text(encoding="ascii")
    assert entry["path"] == '/\n{"status":200}\r\u2028'
    assert not re.search(r"bW92aWVsZW5z|Basic|[Aa]uthorization", content)


def test_secrets_in_the_target_of_a_request_are_hidden(
    serving: Serving, small: Catalogue, logged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(small, DEFAULT, access_log=AccessLog(str(logged)))

    @app.get("/fail/{text}")
    def fail(text: str) -> None:
        raise ValueError

    with serving(app) as server:
        server.ask("/ratings?limit=1&password=pssst&acc%2565ss_token=pssst")
        server.ask("/ratings&password=pssst")
        server.ask("/fail/token=pssst")
        server.ask("/" + "x" * 490 + "?" + "y" * 490 + "=1&password=pssst")
        found = entries(logged, 4)
    assert found[0]["query"] == "limit=1&password=***&acc%2565ss_token=***"
    assert found[1]["path"] == "/ratings&password=***"
    assert found[2]["path"] == "/fail/token=***"
    assert "'/fail/token=***'" in caplog.text
    assert "pssst" not in caplog.text + logged.read_text()


def test_long_texts_are_cut(serving: Serving, small: Catalogue, logged: Path) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog(str(logged)))) as server:
        server.ask("/" + "x" * 5000 + "?" + "y" * 5000, user_agent="z" * 5000)
        [entry] = entries(logged, 1)
    assert len(json.dumps(entry)) < 2000


def test_a_renamed_log_is_started_again(serving: Serving, small: Catalogue, logged: Path) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog(str(logged)))) as server:
        server.get("/healthz")
        entries(logged, 1)
        logged.rename(logged.with_suffix(".1"))
        server.get("/readyz")
        assert entries(logged, 1)[0]["path"] == "/readyz"
    assert entries(logged.with_suffix(".1"), 1)[0]["path"] == "/healthz"


def test_a_log_that_cannot_be_written(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["serve", "--dataset", str(folder), "--port", "0", "--access-log", str(folder)]) == 2
    assert capfd.readouterr().err == f"movielens-api: cannot write {folder}: Is a directory\n"


def test_a_process_logs_to_standard_error_or_a_file(launch: Launch, folder: Path, logged: Path) -> None:
    for options in ([], ["--access-log", str(logged)]):
        process = launch("serve", "--dataset", str(folder), "--port", "0", *options)
        requests.get(url_of(process) + "/healthz", timeout=10)
        process.terminate()
        # The last entries are not lost when it stops.
        output, errors = process.communicate(timeout=60)
        assert "healthz" not in output
        assert errors.count('"path":"/healthz"') == (0 if options else 1)
    assert entries(logged, 1)[0]["status"] == 200


def test_the_null_device_is_a_log(serving: Serving, small: Catalogue, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog("/dev/null"))) as server:
        assert server.get("/healthz").ok
    assert "healthz" not in "".join(capfd.readouterr())


def test_a_failure_has_a_number_in_the_response_and_a_traceback_in_the_log(
    serving: Serving,
    small: Catalogue,
    logged: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(small, DEFAULT, access_log=AccessLog(str(logged)))
    del small.movies  # so that reading them raises an error
    with serving(app) as server:
        response = server.get("/movies")
        [entry] = entries(logged, 1)
        assert value(metrics(server), "requests_total", method="GET", route="/movies", status="500") == 1
    assert (response.status_code, entry["status"]) == (500, 500)
    assert entry["request"] in response.json()["detail"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert entry["request"] in record.getMessage()
    assert record.exc_info
    assert "attribute" not in response.text


def test_a_client_that_disconnects_while_it_posts_is_not_a_failure_of_the_server(
    serving: Serving, small: Catalogue, logged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(create_app(small, DEFAULT, access_log=AccessLog(str(logged)))) as server:
        host, port = urlsplit(server.url).netloc.split(":")
        login = b64encode(":".join(server.auth or ()).encode()).decode()
        head = (
            f"POST /ratings HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nContent-Type: application/json\r\n"
        )
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n[")
            time.sleep(0.2)
        [entry] = entries(logged, 1)
        assert server.json("/ratings")["total"] == 3
    assert entry["status"] in (0, 400)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_readyz_gives_the_reason(serving: Serving, small: Catalogue) -> None:
    store = Store.temporary(small)
    with serving(create_app(small, DEFAULT, store=store)) as server:
        assert server.json("/readyz") == {"status": "ok"}
        store.close()
        response = server.get("/readyz")
        assert response.status_code == 503
        assert response.json()["detail"].startswith("The posted ratings cannot be read: ")
        assert response.headers["retry-after"] == "1"
        assert server.get("/healthz").status_code == 200
