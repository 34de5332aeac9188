"""Who is let in."""

import hmac
from base64 import b64encode

import pytest
import requests
from api_testing import Api, Serving

from movielens_api.app import create_app
from movielens_api.auth import Credentials, parse_basic
from movielens_api.catalogue import Catalogue


def basic(text: str | bytes) -> str:
    return "Basic " + b64encode(text if isinstance(text, bytes) else text.encode()).decode()


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
def test_not_let_in(api: Api, header: str) -> None:
    answer = requests.get(api.url + "/ratings", headers={"Authorization": header.encode("latin-1")}, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_name_of_the_scheme_has_no_case(api: Api, scheme: str) -> None:
    header = basic("movielens:movielens").replace("Basic", scheme)
    assert requests.get(api.url + "/users", headers={"Authorization": header}, timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs"])
def test_open_to_everyone(api: Api, path: str) -> None:
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


def test_both_parts_are_compared_whatever_the_first_says(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    honest = hmac.compare_digest

    def spy(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return honest(a, b)

    monkeypatch.setattr("movielens_api.auth.hmac.compare_digest", spy)
    assert not Credentials("u", "p").match(b"wrong", b"p")
    assert compared == [(b"wrong", b"u"), (b"p", b"p")]


def test_a_password_from_the_environment_need_not_be_text() -> None:
    assert Credentials("u", b"\xff".decode(errors="surrogateescape")).match(b"u", b"\xff")


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("u", "secret"))


def test_only_the_first_colon_parts() -> None:
    assert parse_basic(basic("u:a:b")) == (b"u", b"a:b")
