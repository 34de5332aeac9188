"""What every competitor does alike; in the environments of all of them, so that it needs only NumPy and SciPy."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, load_npz

from benchmarks.cost import cost_of

TOP, WARM_UP, ONE_BY_ONE = 10, 20, 200
KNOWN_LIKES = (1, 3, 10)

Recommend = Callable[[csr_matrix, int], npt.NDArray[Any]]
"""Returns the positions of so many movies for each row of likes, best first."""
Fit = Callable[[csr_matrix, Mapping[str, Any]], Recommend]


def main(models: Mapping[str, tuple[Fit, Sequence[Mapping[str, Any]]]]) -> None:
    """Run the program of a competitor.

    Args:
        models: For each model, how to fit it, and the parameters to try on the sample; the first are its defaults.
    """
    model, workload, folder, *output = sys.argv[1:]
    fit, tried = models[model]
    likes = load_npz(Path(folder) / "training.npz").tocsr()
    if workload == "large":
        _measure(fit, tried[0], likes, load_npz(Path(folder) / "known-10.npz").tocsr())
    else:
        for number, parameters in enumerate(tried):
            recommend = fit(likes, parameters)
            for known in KNOWN_LIKES:
                rows = load_npz(Path(folder) / f"known-{known}.npz").tocsr()
                # Movies that are rated but not liked are left out later.
                np.save(Path(output[0]) / f"{number}-{known}.npy", recommend(rows, min(500, likes.shape[1])))
        print(json.dumps(list(tried)))


def _measure(fit: Fit, parameters: Mapping[str, Any], likes: csr_matrix, known: csr_matrix) -> None:
    fitted: list[Recommend] = []
    cost = cost_of(lambda: fitted.append(fit(likes, parameters)))
    (recommend,) = fitted
    serve(
        asdict(cost),
        [partial(recommend, known[row : row + 1], TOP) for row in range(WARM_UP + ONE_BY_ONE)],
        partial(recommend, known, TOP),
        known.shape[0],
    )


def serve(
    fit: Mapping[str, Any], one_by_one: Sequence[Callable[[], object]], batch: Callable[[], object], users: int
) -> None:
    """Measure recommendations, and print all results.

    Args:
        fit: The cost of fitting.
        one_by_one: Recommends to one user each.
        batch: Recommends to all users.
        users: Their number.
    """
    seconds = [_seconds(each) for each in one_by_one][WARM_UP:]
    batch()
    per_second = users / min(_seconds(batch) for _ in range(3))
    print(json.dumps({"fit": fit, "milliseconds": median(seconds) * 1000, "users_per_second": per_second}))


def best_of_scores(scores: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
    """Return the positions of the highest scores of each row, best first."""
    found = np.argpartition(-scores, number - 1, axis=1)[:, :number]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1)
    return np.take_along_axis(found, order, axis=1)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
