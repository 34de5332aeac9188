"""Which files the page reads."""

from __future__ import annotations

import pytest

from airflow_movielens.plugin.root_files import is_in, is_registry_of


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("/data", "/data/a/b.csv", True),
        ("/data/", "file:///data/b.csv", True),
        ("/data", "/database/b.csv", False),
        ("/data", "/data/../etc/passwd", False),
        ("/data", "/etc/passwd", False),
        ("/data", "s3://data/b.csv", False),
        ("/data", "a\0b", False),
        ("/data", "", False),
        ("s3://conn@bucket/root", "s3://conn@bucket/root/b.csv", True),
        ("s3://bucket/root", "s3://other/root/b.csv", False),
        ("s3://bucket/root", "s3://bucket/root2/b.csv", False),
        ("s3://bucket/root", "s3://bucket/root/../b.csv", False),
        ("s3://bucket/root", "http://bucket/root/b.csv", False),
        ("s3://bucket/root", "/root/b.csv", False),
    ],
)
def test_only_files_below_the_folder_are_in_it(folder, path, expected):
    assert is_in(folder, path) is expected


def test_links_are_followed(tmp_path):
    for name in ("root", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "alias").symlink_to(tmp_path / "root")
    assert not is_in(f"{tmp_path}/root", f"{tmp_path}/root/link/a.csv")
    assert is_in(f"{tmp_path}/alias", f"{tmp_path}/root/a.csv")


def test_registries_lie_in_a_local_root_or_in_any_local_folder():
    assert is_registry_of("/data", "/data/registry")
    assert not is_registry_of("/data", "/registry")
    assert is_registry_of("s3://bucket/root", "/registry")
    assert not is_registry_of("s3://bucket/root", "s3://bucket/root/registry")
    assert not is_registry_of("/data", "a\0b")
