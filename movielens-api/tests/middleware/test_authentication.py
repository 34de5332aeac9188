"""Authentication: passwords, tokens and roles."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from api_testing import Api, Serving
from auth_testing import ANN, BEN, ann_and_ben, basic
from fastapi import Depends

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT, Credentials
from movielens_api.auth.credentials import CHALLENGES, parse_basic
from movielens_api.middleware.authentication import WANTED, require
from movielens_api.table.catalogue import Catalogue


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic bW92aWVsZW5z",
        "Basic bW92aWVsZW5zOm1vdmllbGVucw",
        "Basic " + "A" * 5001,
        "Basic bW92aWVsZW5z Om1vdmllbGVucw==",
        "Bearer bW92aWVsZW5zOm1vdmllbGVucw==",
        basic("movielens"),
        basic(":"),
        basic("movielens:"),
        basic(":movielens"),
        basic("movielens:movielens "),
        basic("movielens:Movielens"),
        basic("other:movielens"),
        basic("movielens:other"),
        basic(b"\xff\xfe:\x00"),
        basic("größe:größe"),
        b"Basic \xff\xfe\xe9".decode("latin-1"),
    ],
)
def test_bad_credentials_are_401(serving: Serving, small: Catalogue, header: str) -> None:
    # A server of its own, since failures add up.
    with serving(create_app(small, DEFAULT)) as server:
        response = requests.get(
            server.url + "/ratings", headers={"Authorization": header.encode("latin-1")}, timeout=10
        )
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == CHALLENGES
    assert response.json()["detail"] == WANTED


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_name_of_the_scheme_has_no_case(api: Api, scheme: str) -> None:
    header = basic("movielens:movielens").replace("Basic", scheme)
    assert requests.get(api.url + "/users", headers={"Authorization": header}, timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs"])
def test_public_routes_need_no_password(api: Api, path: str) -> None:
    assert Api(api.url, auth=None).get(path).status_code == 200


@pytest.mark.parametrize("password", ["größe", "a:b:c", " ", "パス", "x" * 4000])
def test_any_password_works(serving: Serving, small: Catalogue, password: str) -> None:
    with serving(create_app(small, Credentials("jemand", password))) as server:
        header = {"Authorization": basic(f"jemand:{password}")}
        assert requests.get(server.url + "/users", headers=header, timeout=10).status_code == 200
        assert server.get("/users").status_code == 401


@pytest.mark.parametrize("user", ["", "a:b"])
def test_users_that_basic_cannot_carry(user: str) -> None:
    with pytest.raises(ValueError, match="colon"):
        Credentials(user, "x")


def test_the_password_is_compared_even_if_the_user_is_wrong() -> None:
    with pytest.raises(TypeError):  # from the comparison
        Credentials("u", "p").match(b"wrong", None)  # type: ignore[arg-type]


def test_a_password_from_the_environment_need_not_be_text() -> None:
    assert Credentials("u", b"\xff".decode(errors="surrogateescape")).match(b"u", b"\xff")


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("u", "secret"))


def test_only_the_first_colon_separates_user_and_password() -> None:
    assert parse_basic(basic("u:a:b").encode()) == (b"u", b"a:b")


def test_the_role_read_may_not_write(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    app = create_app(small, DEFAULT, users_file=ann_and_ben(tmp_path))

    @app.get("/probe")
    async def look() -> str:
        """Read."""
        return "read"

    @app.post("/probe", dependencies=[Depends(require("write"))])
    async def probe() -> str:
        """Write."""
        return "written"

    with serving(app) as server:
        assert requests.get(server.url + "/probe", auth=BEN, timeout=10).json() == "read"
        assert requests.post(server.url + "/probe", auth=ANN, timeout=10).json() == "written"
        response = requests.post(server.url + "/probe", auth=BEN, timeout=10)
        assert requests.post(server.url + "/probe", timeout=10).status_code == 401
        responses = server.json("/openapi.json")["paths"]["/probe"]["post"]["responses"]
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert "needs the role write" in response.json()["detail"]
    assert {"401", "429"} <= set(responses)


def test_the_openapi_names_the_headers_of_errors(api: Api) -> None:
    responses = api.json("/openapi.json")["paths"]["/ratings"]["get"]["responses"]
    assert list(responses["401"]["headers"]) == ["WWW-Authenticate"]
    assert list(responses["429"]["headers"]) == ["Retry-After"]


def test_without_any_user_every_request_is_401(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, None)) as server:
        assert server.get("/users").status_code == 401
