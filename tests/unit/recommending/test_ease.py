"""The baseline EASE is that of an independent implementation."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from scipy.sparse import csr_matrix, save_npz
from unit import irspack_ease

from airflow_movielens.recommending import ModelParameters
from airflow_movielens.recommending.catalogue import catalogue_of
from airflow_movielens.recommending.evaluation.recommenders import ease
from airflow_movielens.recommending.histories import latest_of


@pytest.mark.slow
def test_the_matrix_of_ease_is_that_of_irspack(truth, recommenders_python, tmp_path):
    ratings = latest_of(truth)
    catalogue = catalogue_of(ratings, ModelParameters())
    liked = truth[(truth["rating"] >= 4) & truth["movieId"].isin(catalogue.movies)]
    columns = np.searchsorted(catalogue.movies, liked["movieId"])
    save_npz(tmp_path / "likes.npz", csr_matrix((np.ones(len(liked)), (liked["userId"], columns))))
    subprocess.run(
        [recommenders_python, irspack_ease.__file__, tmp_path / "likes.npz", "400", tmp_path / "matrix.npy"], check=True
    )
    expected = np.load(tmp_path / "matrix.npy")
    assert len(expected) == len(catalogue.movies) > 2000
    np.testing.assert_allclose(ease(ratings, catalogue).model.matrix, expected, rtol=0, atol=1e-4)
    assert np.abs(expected).max() > 0.05
