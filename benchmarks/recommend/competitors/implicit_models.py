"""implicit: ``implicit_models knn|als``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from benchmarks.recommend.competitors.serving import Recommend, main


def _fitted(model: Any, likes: csr_matrix) -> Recommend:
    model.fit(likes, show_progress=False)

    def recommend(known: csr_matrix, number: int) -> npt.NDArray[Any]:
        users = np.arange(known.shape[0])
        found, _ = model.recommend(users, known, N=number, filter_already_liked_items=True, recalculate_user=True)
        return found  # type: ignore[no-any-return]

    return recommend


def _knn(likes: csr_matrix, parameters: Mapping[str, Any]) -> Recommend:
    return _fitted(BM25Recommender(**parameters), likes)


def _als(likes: csr_matrix, parameters: Mapping[str, Any]) -> Recommend:
    return _fitted(AlternatingLeastSquares(random_state=0, **parameters), likes)


if __name__ == "__main__":
    # As implicit asks for: it has threads of its own.
    with threadpool_limits(1, "blas"):
        main(
            {
                "knn": (_knn, [{}, {"K": 100}, {"K": 400}, {"K": 100, "B": 0.25}, {"K": 400, "B": 0.25}]),
                "als": (
                    _als,
                    [
                        {},
                        *({"factors": f, "regularization": r} for f in (16, 32, 64) for r in (0.1, 10.0)),
                        *({"factors": f, "regularization": 10.0, "alpha": 10.0} for f in (16, 32)),
                    ],
                ),
            }
        )
