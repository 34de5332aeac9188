"""The file that a path or URL names, or the error for one that names none."""

from __future__ import annotations

from pathlib import Path, PurePath, PureWindowsPath

import pytest

from airflow_movielens.client.fetch import LocalOutput
from airflow_movielens.ratings.paths import local_path, output_text, path_text


@pytest.mark.parametrize(
    ("given", "local"),
    [
        ("a.csv", "a.csv"),
        (Path("a.csv"), "a.csv"),
        (PurePath("/a/b.csv"), "/a/b.csv"),
        ("file:///a/b%20c.csv", "/a/b c.csv"),
        ("FILE:///a/2000-11-1?.csv", "/a/2000-11-1?.csv"),
        ("file:///a/b#1.csv", "/a/b#1.csv"),
        ("file://localhost/a/b.csv", "/a/b.csv"),
        ("file:/a/b.csv", "/a/b.csv"),
        ("local:///a/b.csv", "/a/b.csv"),
        ("./s3:/a/b.csv", "s3:/a/b.csv"),
        ("~old.csv", "~old.csv"),
        ("$old.csv", "$old.csv"),
        ("./$HOME/a.csv", "$HOME/a.csv"),
        ("manual__2000-11-20T00:00:00+00:00.csv", "manual__2000-11-20T00:00:00+00:00.csv"),
    ],
)
def test_a_local_path_is_recognised(given, local):
    assert local_path(given) == Path(local)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://b/x.csv", "s3://b/x.csv"),
        ("S3://conn@b/X.csv", "s3://conn@b/X.csv"),
        ("gs://b/a[1]?.csv", "gs://b/a[1]?.csv"),
    ],
)
def test_a_url_is_recognised(given, url):
    assert path_text(given) == url
    assert local_path(given) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "None is not a path"),
        (7, "7 is not a path"),
        (b"a.csv", "is not a path"),
        ("", "it is empty"),
        (" ", "it is empty"),
        ("a\0.csv", "null character"),
        ("s3:/b/x.csv", "without its two slashes"),
        (Path("s3://b/x.csv"), "without its two slashes"),
        ("s3:b/x.csv", "without its two slashes"),
        ("s3:x.csv", "without its two slashes"),
        ("foo:/b/x.csv", "without its two slashes"),
        ("s3:///x.csv", "names no bucket"),
        ("s3://conn@/x.csv", "names no bucket"),
        ("file:a.csv", "does not name an absolute path"),
        ("file://a.csv", "does not name an absolute path"),
        ("file://host/a.csv", "does not name an absolute path"),
        ("file://~/a.csv", "does not name an absolute path"),
        ("file:///~/a.csv", "does not name an absolute path"),
        (r"C:\data\a.csv", "Windows path"),
        ("C:/data/a.csv", "Windows path"),
        (PureWindowsPath(r"C:\data\a.csv"), "Windows path"),
        (r"\\host\share\a.csv", "Windows path"),
        (" s3://b/x.csv", "neither a path nor a URL"),
        ("://b/x.csv", "neither a path nor a URL"),
        ("$HOME/a.csv", "a variable, which only a shell fills in"),
        ("${HOME}/a.csv", "a variable, which only a shell fills in"),
        ("~nobody-of-this-name/a.csv", "a user who is not known"),
    ],
)
def test_a_value_that_is_not_a_path_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        output_text(given)
    with pytest.raises(ValueError, match=words):
        local_path(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("out.csv/", "is a folder"),
        ("s3://b/out.csv/", "is a folder"),
        ("a.csv.quarantine.ndjson", "is kept for"),
        ("s3://b/.a.csv.manifest.json", "is kept for"),
        (".partial-a.csv", "is kept for"),
        ("a.txt", "cannot tell the file format"),
        ("\u00e9" * 109 + ".csv", "has a name of 222 bytes: give at most 220"),
    ],
)
def test_a_path_that_cannot_be_an_output_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        output_text(given)


def test_a_local_output_is_not_an_object():
    with pytest.raises(ValueError, match="is not a local file"):
        LocalOutput("s3://b/a.csv")
