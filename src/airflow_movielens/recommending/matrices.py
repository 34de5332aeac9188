"""The item-by-item matrices, from the weights of ratings.

B = B₁ + c·B₂. B₁ says which movies are liked together, and B₂ which movies users come to like after their first likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.recommending.histories import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.parameters import ModelParameters

    Matrix = npt.NDArray[np.float64]

_FIRST_LIKES = (1, 2, 3, 5, 10, 20)
# Rows of a product that are computed at once.
_BLOCK = 512


def item_matrix(histories: Histories, num_movies: int, parameters: ModelParameters) -> npt.NDArray[np.float32]:
    """Return B: how much a unit of a rated movie's weight (the row) adds to the score of a movie (the column)."""
    weights = vectors(histories, histories.weights, num_movies)
    matrix = liked_together(weights, parameters.lambda_1)
    if parameters.later_likes:
        first, later = first_and_later_likes(histories, num_movies, parameters.decay)
        add_liked_later(matrix, first, later, parameters.lambda_2, parameters.later_likes)
    return matrix


def liked_together(weights: csr_array, regularisation: float) -> npt.NDArray[np.float32]:
    """Return B₁ = -P/diag(P) with a diagonal of 0, where P = (XᵀX + λ₁·w̄²·I)⁻¹.

    w̄² is the mean square of the weights. Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW
    2019), there for likes.

    Args:
        weights: X, the weights of users (rows) for movies (columns).
        regularisation: λ₁.
    """
    import numpy as np

    inverse = _inverse(_regularised_gram(weights, regularisation))
    diagonal = inverse.diagonal().astype(np.float64)
    matrix = np.empty(inverse.shape, np.float32)
    for rows in _blocks(len(matrix)):
        matrix[rows] = inverse[rows] / -diagonal
    np.fill_diagonal(matrix, 0)
    return matrix


def first_and_later_likes(histories: Histories, num_movies: int, decay: float) -> tuple[csr_array, csr_array]:
    """Return S and Y: a row for each user and each k of `_FIRST_LIKES`, if the user has more than k likes.

    Returns:
        The weights of the ratings up to and with the k-th like, decayed until then; and 1 for each later like.
    """
    import numpy as np
    from scipy.sparse import vstack

    owners, numbers = histories.owners, np.arange(len(histories.ratings))
    likes = np.flatnonzero(histories.are_likes)
    num_likes = histories.num_likes
    first_like = np.cumsum(num_likes) - num_likes
    first, later = [], []
    for k in _FIRST_LIKES:
        has_later = num_likes > k
        # The number of the rating that is the k-th like; -1 if none is later, so that no rating is used.
        kth = np.full(len(num_likes), -1)
        kth[has_later] = likes[first_like[has_later] + k - 1]
        since = kth[owners] - numbers
        decayed = histories.weights * np.exp(-decay * np.maximum(since, 0))
        first.append(vectors(histories, np.where(since >= 0, decayed, 0.0), num_movies))
        is_later = histories.are_likes & (since < 0) & has_later[owners]
        later.append(vectors(histories, is_later.astype(np.float64), num_movies))
    return vstack(first, format="csr"), vstack(later, format="csr")


def add_liked_later(
    matrix: npt.NDArray[np.float32], first: csr_array, later: csr_array, regularisation: float, factor: float
) -> None:
    """Add c·B₂ to a matrix in place: B₂ = (SᵀS + λ₂·w̄²·I)⁻¹SᵀY, where w̄² is the mean square of the weights in S.

    Args:
        matrix: The matrix.
        first: S, the weights of the first ratings.
        later: Y, the later likes.
        regularisation: λ₂.
        factor: c.
    """
    from scipy.linalg.lapack import dpotrs

    if not first.nnz:
        return
    factors = _cholesky(_regularised_gram(first, regularisation))
    targets = later.T.tocsr()
    for columns in _blocks(len(matrix)):
        right = (targets[columns] @ first).toarray().T
        solved, _ = dpotrs(factors, right, lower=1, overwrite_b=1)
        matrix[:, columns] += factor * solved


def _regularised_gram(rows: csr_array, regularisation: float) -> Matrix:
    """Return AᵀA + λ·w̄²·I in Fortran's order, where w̄² is the mean square of the values in A."""
    import numpy as np

    size = rows.shape[1]
    gram = np.empty((size, size), order="F")
    columns = rows.T.tocsr()
    for part in _blocks(size):
        gram[:, part] = (columns[part] @ rows).toarray().T
    mean_square = np.square(rows.data).mean() if rows.nnz else 1.0
    gram.flat[:: size + 1] += regularisation * mean_square
    return gram


def _cholesky(matrix: Matrix) -> Matrix:
    """Return the lower Cholesky factor of a positive definite matrix, in place; above the diagonal, it holds no zeros."""
    from scipy.linalg.lapack import dpotrf

    factors, failed = dpotrf(matrix, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise ValueError("the item-by-item matrix cannot be inverted: give larger values for lambda_1 and lambda_2")
    return factors  # type: ignore[no-any-return]


def _inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a positive definite matrix, in place."""
    from scipy.linalg.lapack import dpotri

    inverse: Matrix
    inverse, _ = dpotri(_cholesky(matrix), lower=1, overwrite_c=1)
    for part in _blocks(len(inverse)):
        inverse[part, part.stop :] = inverse[part.stop :, part].T
        square = inverse[part, part]
        for column in range(1, len(square)):
            square[:column, column] = square[column, :column]
    return inverse


def _blocks(size: int) -> Iterator[slice]:
    for start in range(0, size, _BLOCK):
        yield slice(start, min(start + _BLOCK, size))
