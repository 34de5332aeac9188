"""The OpenAPI document is complete, and the server conforms to it."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from api_testing import Api, Serving
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.recommendations.champion import Champion
from movielens_api.table.catalogue import Catalogue

HTTP_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PUBLIC = {"/healthz", "/readyz"}
# For browsers and tools.
PAGES = {"/", "/docs", "/static/{name}", "/openapi.json"}
RECOMMENDING = {"/recommendations", "/users/{userId}/recommendations", "/movies/{movieId}/similar"}


@pytest.fixture(scope="module", params=["api", "recommending"])
def served(request: pytest.FixtureRequest) -> Api:
    """A server without recommendations, and one with them."""
    server: Api = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def document(served: Api) -> dict[str, Any]:
    answer: dict[str, Any] = served.json("/openapi.json")
    return answer


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, item[method]) for path, item in document["paths"].items() for method in HTTP_METHODS & set(item)]


def validate(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(instance)


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', str(document).replace("'", '"')):
        assert name in schemas


def test_every_route_is_in_the_document_or_deliberately_left_out(small: Catalogue, tmp_path: Path) -> None:
    with closing(Champion(tmp_path)) as champion:
        app = create_app(small, DEFAULT, champion=champion)
    in_document = {(path, method.upper()) for path, item in app.openapi()["paths"].items() for method in item}
    served = {
        (route.path, method) for route in app.routes if isinstance(route, Route) for method in route.methods or ()
    }
    # Every route that reads also responds to HEAD.
    served |= {(path, "HEAD") for path, method in served if method == "GET"}
    assert in_document <= served
    assert {path for path, _ in served - in_document} == PAGES
    # Mounts and WebSockets would not be in it.
    assert all(isinstance(route, Route) for route in app.routes)


def test_identifiers_have_bounds_in_the_document(document: dict[str, Any]) -> None:
    parameters = [each for _, operation in operations(document) for each in operation.get("parameters", [])]
    ids = [each["schema"] for each in parameters if each["in"] == "path"]
    assert ids
    assert all((schema["minimum"], schema["maximum"]) == (0, 2**31 - 1) for schema in ids)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    assert document["info"]["description"]
    for path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert all(parameter["description"] for parameter in operation.get("parameters", [])), path
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_every_operation_documents_its_errors(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert set(operation["responses"]) == expected_statuses(path, operation["operationId"])
        for status, response in operation["responses"].items():
            if operation["operationId"].endswith("_head") or status == "304":
                assert "content" not in response
            elif not status.startswith("2"):
                assert list(response["content"]) == ["application/problem+json"]
            elif path == "/metrics":
                assert list(response["content"]) == ["text/plain; version=0.0.4; charset=utf-8"]
            elif path != "/ratings" or operation["operationId"] == "post_ratings":
                assert list(response["content"]) == ["application/json"]


def expected_statuses(path: str, name: str) -> set[str]:
    if path in PUBLIC:
        return {"200", "500", "503"} if path == "/readyz" else {"200", "500"}
    by_name = {
        "post_ratings": {"201", "400", "403", "413", "415", "503"},
        "recommend_by_ratings": {"200", "400", "413", "415", "503"},
        "list_ratings": {"200", "304", "406", "410"},
        "recommend_to_user": {"200", "304", "503"},
        "list_similar_movies": {"200", "304", "404", "503"},
        "get_movie": {"200", "404"},
    }
    return {"401", "422", "429", "500"} | by_name.get(name.removesuffix("_head"), {"200"})


def test_every_format_of_ratings_is_documented_and_works(api: Api, document: dict[str, Any]) -> None:
    said = document["paths"]["/ratings"]["get"]["responses"]["200"]
    assert len(said["content"]) == 5
    for media_type in said["content"]:
        answer = api.ask("/ratings?limit=50", accept=media_type, accept_encoding="gzip")
        assert answer.headers["content-type"] == media_type
        assert {name.lower() for name in said["headers"]} <= {name.lower() for name in answer.headers}


def test_the_documented_headers_of_304_are_sent(api: Api, document: dict[str, Any]) -> None:
    said = document["paths"]["/ratings"]["get"]["responses"]["304"]
    answer = api.ask("/ratings?limit=50", if_none_match="*")
    assert answer.status_code == 304
    assert {name.lower() for name in said["headers"]} <= {name.lower() for name in answer.headers}


def test_protected_operations_document_their_security(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {"basic": "basic", "bearer": "bearer"}
    either = [{"basic": []}, {"bearer": []}]
    assert all(operation.get("security", either) == either for _, operation in operations(document))
    assert {path for path, operation in operations(document) if "security" not in operation} == PUBLIC


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/ratings", "/movies", "/movies/{movieId}", "/users"])
def test_responses_match_the_document(served: Api, document: dict[str, Any], path: str) -> None:
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = served.get(path.replace("{movieId}", "108583"))
    assert answer.headers["content-type"] == "application/json"
    validate(document, schema, answer.json())


@pytest.mark.parametrize("path", sorted(RECOMMENDING))
def test_recommendations_match_the_document(recommending: Api, path: str) -> None:
    document = recommending.json("/openapi.json")
    method = "post" if path == "/recommendations" else "get"
    said = document["paths"][path][method]["responses"]["200"]
    url = recommending.url + path.replace("{userId}", "547").replace("{movieId}", "1")
    ratings = [{"movieId": 1, "rating": 5.0, "timestamp": 10}]
    answer = requests.request(method, url, json=ratings, auth=recommending.auth, timeout=30)
    validate(document, said["content"]["application/json"]["schema"], answer.json())
    assert {name.lower() for name in said["headers"]} <= {name.lower() for name in answer.headers}


def test_rows_have_exactly_the_documented_columns(api: Api, document: dict[str, Any]) -> None:
    for path, row in [("/ratings", "Rating"), ("/movies", "Movie"), ("/users", "User")]:
        assert set(api.json(path)["result"][0]) == set(document["components"]["schemas"][row]["properties"])


@pytest.mark.parametrize(("path", "params"), [("/nothing", {}), ("/ratings", {"limit": -1}), ("/movies/0", {})])
def test_errors_keep_to_the_document(api: Api, document: dict[str, Any], path: str, params: dict[str, Any]) -> None:
    validate(document, {"$ref": "#/components/schemas/Problem"}, api.get(path, **params).json())


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_examples_are_days_that_work(api: Api, document: dict[str, Any], name: str) -> None:
    parameters = document["paths"]["/ratings"]["get"]["parameters"]
    [parameter] = [parameter for parameter in parameters if parameter["name"] == name]
    assert all(api.json("/ratings", **{name: example}) for example in parameter["schema"]["examples"])


def test_the_document_is_written_once(api: Api) -> None:
    """Anyone may request it, and writing it takes as long as dozens of pages."""
    first = api.ask("/openapi.json")
    assert api.ask("/openapi.json", if_none_match=first.headers["etag"]).status_code == 304


def test_a_mounted_application_documents_its_prefix(small: Catalogue, serving: Serving) -> None:
    inner = create_app(small, DEFAULT)
    with serving(Starlette(routes=[Mount("/films", inner), Mount("/cinema", inner)])) as server:
        for prefix in ("/films", "/cinema"):
            assert server.json(f"{prefix}/openapi.json")["servers"] == [{"url": prefix}]
