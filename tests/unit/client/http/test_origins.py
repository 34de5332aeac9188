"""Links and redirects stay on the API's own origin."""

from __future__ import annotations

import pytest

from airflow_movielens.client.http.origins import ForeignOriginError, join_on_origin, same_origin


@pytest.mark.parametrize(
    ("base", "target", "joined"),
    [
        ("http://h:5000/v1/ratings", "?cursor=a", "http://h:5000/v1/ratings?cursor=a"),
        ("http://h:5000/v1/ratings", "/x#top", "http://h:5000/x"),
        ("http://h/ratings", "http://H.:80/x", "http://h/x"),
        ("https://h/ratings", "https://h:443/x", "https://h/x"),
        ("http://h/ratings", "http://user:pw@h/x", "http://h/x"),
        ("http://[::1]:5000/ratings", "//[::1]:5000/x", "http://[::1]:5000/x"),
        ("http://[::1]/ratings", "http://[0:0::1]:80/x", "http://[::1]/x"),
        ("http://b\u00fccher.example/ratings", "http://xn--bcher-kva.example/x", "http://b\u00fccher.example/x"),
        # A proxy terminates TLS, and the API does not know of it.
        ("https://h/ratings", "http://h/x?p=2", "https://h/x?p=2"),
        ("https://h:8443/ratings", "http://h/x", "https://h:8443/x"),
        ("https://h/ratings", "http://h:5000/x", "https://h/x"),
    ],
)
def test_a_target_is_joined_on_the_same_origin(base, target, joined):
    assert join_on_origin(base, target) == joined
    assert same_origin(joined, base)


@pytest.mark.parametrize(
    ("base", "target", "words"),
    [
        ("http://h:5000/r", "https://h/x", "https://h: set the schema to https, or https://h as the API's address"),
        ("http://h:5000/r", "http://h/x", "http://h, whose port differs from http://h:5000"),
        ("https://h:8443/r", "https://h/x", "https://h, whose port differs from https://h:8443"),
        ("http://h/r", "//evil/x", "http://evil, whose host differs from http://h"),
        ("https://h/r", "http://evil:81/x", "http://evil:81, whose scheme and host and port differ from https://h"),
        ("http://h/r", "http://h@evil/x", "http://evil, whose host differs"),
        ("http://h/r", "ftp://h/x", "ftp://h, whose scheme and port differ"),
        ("http://h/r", "http://[::1]:80/x", "http://[::1], whose host differs"),
        ("http://h/r", "http://h//evil/x", "http://h//evil/x, whose path begins with two slashes"),
        ("http://h/r", "/\\evil/x", "http://h/\\evil/x, whose path begins with two slashes"),
        ("https://h/r", "http://u:pw@h//evil/x", "http://h//evil/x, whose path begins with two slashes"),
    ],
)
def test_the_error_says_what_differs(base, target, words):
    with pytest.raises(ForeignOriginError) as caught:
        join_on_origin(base, target)
    assert str(caught.value).startswith(words)


def test_the_error_never_advises_to_leave_https():
    with pytest.raises(ForeignOriginError, match="X-Forwarded-Proto") as caught:
        join_on_origin("https://h/r", "http://other/x")
    assert "If you trust" not in str(caught.value)
    with pytest.raises(ForeignOriginError, match="If you trust https://other, set it"):
        join_on_origin("https://h/r", "https://other/x")
    with pytest.raises(ForeignOriginError, match="differ") as caught:
        join_on_origin("http://h/r", "javascript:x")
    assert "If you trust" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "other", "is_same"),
    [
        ("http://h/a?x=1", "http://h/b#top", True),
        ("HTTP://h/", "http://H:80", True),
        ("https://h", "https://h.:443/x", True),
        ("http://user:pw@h/", "http://h/", True),
        ("http://[::1]/", "http://[0:0::1]:80/", True),
        ("http://b\u00fccher.example/", "http://XN--bcher-kva.example/", True),
        ("http://h/", "https://h/", False),
        ("http://h:443/", "https://h/", False),
        ("http://h/", "http://h:0/", False),
        ("http://h/", "http://h:5000/", False),
        ("http://h/", "http://h.example/", False),
        ("http://h/", "http://h@evil/", False),
        ("http://h/", "//h/", False),
    ],
)
def test_origins_are_the_same_if_scheme_host_and_port_are(url, other, is_same):
    assert same_origin(url, other) is same_origin(other, url) is is_same


@pytest.mark.parametrize("target", ["http://[bad", "http://h:port/x", "http://h:99999/"])
def test_an_invalid_url_is_refused(target):
    with pytest.raises(ValueError, match=r"Invalid|[Pp]ort"):
        join_on_origin("http://h/r", target)
