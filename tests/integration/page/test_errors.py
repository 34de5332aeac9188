"""What the page says when it cannot show a view."""

from __future__ import annotations

import ctypes
import os
import re
from html import unescape

import pytest
from integration.bucket import ATOMIC, ATOMIC_URL, atomic_bucket_at
from starlette.testclient import TestClient
from unit.plugin.partition_records import fetch

VIEWS = ["/movielens/partitions/", "/movielens/rankings/", "/movielens/models/", "/movielens/dags/a/runs/b/"]


def shown_instead(client, address, status=503):
    response = client.get(address)
    assert response.status_code == status, response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return unescape(response.text.partition("<main")[2])


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("view", VIEWS)
def test_without_a_data_root_the_page_says_what_to_set(page, monkeypatch, view):
    monkeypatch.delenv("AIRFLOW__MOVIELENS__DATA_ROOT")
    assert "Set [movielens] data_root in Airflow's configuration" in shown_instead(page, view)


@pytest.mark.parametrize("view", VIEWS)
def test_a_data_root_that_is_not_mounted_is_no_empty_one(page, data_root, view):
    data_root.rmdir()
    said = shown_instead(page, view)
    assert f"The API server has no folder {data_root}." in said
    assert "mount the folder" in said


@pytest.mark.parametrize("view", VIEWS)
def test_files_that_cannot_be_read_are_named_with_the_error(page, data_root, view):
    (data_root / ".movielens-catalogue").write_text("no folder")
    said = shown_instead(page, view)
    assert f"{data_root}/.movielens-catalogue" in said
    assert "Not a directory" in said


@pytest.fixture
def bound_by_permissions():
    """Let permissions of files bind this thread, and those that it starts, also if it is root's."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # _LINUX_CAPABILITY_VERSION_3 and this thread; then twice: effective, permitted and inheritable capabilities.
    header, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0
    fewer = type(held)(*held)
    fewer[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, fewer) == 0
    yield
    assert libc.capset(header, held) == 0


@pytest.mark.usefixtures("bound_by_permissions")
@pytest.mark.parametrize("forbidden", ["..", ".", ".movielens-catalogue"])
@pytest.mark.parametrize("view", VIEWS)
def test_files_that_the_server_may_not_read_are_named(page, catalogue, data_root, view, forbidden):
    catalogue.add(fetch())
    folder = (data_root / forbidden).resolve()
    folder.chmod(0)
    try:
        said = shown_instead(page, view)
    finally:
        folder.chmod(0o700)
    assert f"{data_root}" in said
    assert "cannot be read. The API server got: [Errno 13] Permission denied" in text_of(said)
    assert "that the user of the API server may read it" in said


@pytest.mark.parametrize("view", VIEWS)
def test_a_missing_file_system_is_said_with_the_package_that_has_it(page, monkeypatch, view):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", "abfs://bucket/data")
    assert "install apache-airflow-providers-microsoft-azure" in shown_instead(page, view)


def test_an_unexpected_error_is_named_but_its_text_only_logged(served, page, monkeypatch, tmp_path):
    """A file system may raise anything, such as an error of a cloud's library."""
    index = atomic_bucket_at(tmp_path) / ".movielens-catalogue/fetch/2015-03.json"
    index.parent.mkdir(parents=True)
    index.touch()
    ATOMIC.refused = {"cat_file": RuntimeError("the secret is hunter2")}
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", ATOMIC_URL)
    client = TestClient(served, cookies=page.cookies, raise_server_exceptions=False)
    said = shown_instead(client, "/movielens/partitions/", 500)
    assert "RuntimeError. The log of the API server has the details." in said
    assert "hunter2" not in said


def test_a_query_that_is_not_valid_is_named(page):
    assert "before: Input should be" in shown_instead(page, "/movielens/models/?before=many", 422)
