"""irspack: ``irspack_models ease|knn``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from irspack import CosineKNNRecommender, DenseSLIMRecommender
from scipy.sparse import csr_matrix

from benchmarks.recommend.competitors.serving import Recommend, best_of_scores, main

# So many users are scored at once.
USERS = 256


def _fitted(model: Any) -> Recommend:
    model.learn()

    def recommend(likes: csr_matrix, number: int) -> npt.NDArray[Any]:
        parts = [likes[start : start + USERS] for start in range(0, likes.shape[0], USERS)]
        found = [best_of_scores(model.get_score_cold_user_remove_seen(part), number) for part in parts]
        return np.concatenate(found)

    return recommend


def _ease(likes: csr_matrix, parameters: Mapping[str, Any]) -> Recommend:
    return _fitted(DenseSLIMRecommender(likes, **parameters))


def _knn(likes: csr_matrix, parameters: Mapping[str, Any]) -> Recommend:
    return _fitted(CosineKNNRecommender(likes, **parameters))


if __name__ == "__main__":
    main(
        {
            "ease": (_ease, [{"reg": 400.0}, {"reg": 100.0}, {"reg": 200.0}, {"reg": 800.0}]),
            "knn": (
                _knn,
                [{"top_k": 100}, *({"top_k": k, "shrinkage": s} for k in (100, 400) for s in (10.0, 100.0))],
            ),
        }
    )
