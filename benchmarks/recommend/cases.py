"""The measured cases."""

from __future__ import annotations

from dataclasses import dataclass

LARGE, CHOICE, SAMPLE = "large", "choice", "sample"
OURS, OURS_FIRST, EASE, TRENDING = "ours", "ours, without B₂", "irspack EASE", "trending"


@dataclass(frozen=True)
class Case:
    """A recommender in one workload.

    Attributes:
        workload: ``large`` for speed and memory, ``choice`` for the choice of parameters, ``sample`` for quality.
        competitor: Its name in tables.
        module: The module of `competitors`.
        model: Which model of the module.
        is_here: Whether its packages are in the tests' environment; otherwise they are in ``.venv-recommenders``.
    """

    workload: str
    competitor: str
    module: str
    model: str
    is_here: bool = False


def cases() -> list[Case]:
    """Return the cases of a round; the first of each workload is ours."""
    found = []
    for workload in (LARGE, SAMPLE):
        found += [
            Case(workload, OURS, "ours", "ours", is_here=True),
            Case(workload, OURS_FIRST, "ours", "first", is_here=True),
            Case(workload, EASE, "irspack_models", "ease"),
            Case(workload, "irspack item kNN (cosine)", "irspack_models", "knn"),
            Case(workload, "implicit item kNN (BM25)", "implicit_models", "knn"),
            Case(workload, "implicit ALS", "implicit_models", "als"),
        ]
    choice = Case(CHOICE, OURS, "ours", "ours", is_here=True)
    return [*found, choice, Case(SAMPLE, TRENDING, "ours", "trending", is_here=True)]
