"""The item-by-item matrices, from the weights of ratings.

B = B₁ + c·B₂. B₁ says which movies are liked together, and B₂ which movies users come to like after their first likes.

Products are summed with 64 bits and kept with 32, and at most two matrices of the catalogue's size are in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.recommending.histories import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.parameters import ModelParameters

    Matrix = npt.NDArray[np.float32]

_FIRST_LIKES = (1, 2, 3, 5, 10, 20)
# Rows of a product that are computed at once.
_BLOCK = 512


def item_matrix(histories: Histories, num_movies: int, parameters: ModelParameters) -> Matrix:
    """Return B: how much a unit of a rated movie's weight (the row) adds to the score of a movie (the column)."""
    weights = vectors(histories, histories.weights, num_movies)
    matrix = liked_together(weights, parameters.lambda_1)
    if parameters.later_likes:
        likes = later_likes(histories, num_movies, parameters.decay)
        add_liked_later(matrix, likes, parameters.lambda_2, parameters.later_likes)
    return matrix


def liked_together(weights: csr_array, regularisation: float) -> Matrix:
    """Return B₁ = -P/diag(P) with a diagonal of 0, where P = (XᵀX + λ₁·w̄²·I)⁻¹.

    w̄² is the mean square of the weights. Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW
    2019), there for likes.

    Args:
        weights: X, the weights of users (rows) for movies (columns).
        regularisation: λ₁.
    """
    import numpy as np

    inverse = _inverse(_regularised_gram(weights, regularisation))
    # The inverse is symmetric, so that its transpose, whose rows are contiguous, is the same matrix.
    matrix = inverse.T
    matrix /= -matrix.diagonal()
    np.fill_diagonal(matrix, 0)
    return matrix


@dataclass(frozen=True, eq=False)
class LaterLikes:
    """What users like after their first likes: a row for each user and each k of 1, 2, 3, 5, 10 and 20.

    A user has the row of k if more than k movies are liked.

    Attributes:
        first: S, the weights of the ratings up to and with the k-th like, decayed until then.
        first_of_users: The sum of each user's rows of S.
        likes: 1 for each like; a row for each movie, a column for each user.
        known: 1 for each of the first k likes; a row for each movie, a column for each row of S. Y, the later likes, is
            the likes of the row's user without these.
    """

    first: csr_array
    first_of_users: csr_array
    likes: csr_array
    known: csr_array

    def product(self, columns: slice) -> Matrix:
        """Return some columns of SᵀY, in Fortran's order.

        Y has a user's later likes up to six times, so it is not built: SᵀY is the product of each user's summed rows
        and likes, without that of the rows and the likes known in them.
        """
        import numpy as np

        transposed = self.likes[columns] @ self.first_of_users
        transposed -= self.known[columns] @ self.first
        return transposed.toarray().astype(np.float32).T  # type: ignore[no-any-return]


def later_likes(histories: Histories, num_movies: int, decay: float) -> LaterLikes:
    """Return what users like after their first likes."""
    import numpy as np
    from scipy.sparse import csr_array, vstack

    owners, numbers = histories.owners, np.arange(len(histories.ratings))
    likes = np.flatnonzero(histories.are_likes)
    num_likes = histories.num_likes
    first_like = np.cumsum(num_likes) - num_likes
    first, known = [], []
    first_of_users = csr_array((len(num_likes), num_movies))
    for k in _FIRST_LIKES:
        has_later = num_likes > k
        # The number of the rating that is the k-th like; -1 if none is later, so that no rating is used.
        kth = np.full(len(num_likes), -1)
        kth[has_later] = likes[first_like[has_later] + k - 1]
        since = kth[owners] - numbers
        decayed = np.where(since >= 0, histories.weights * np.exp(-decay * np.maximum(since, 0)), 0.0)
        first.append(vectors(histories, decayed, num_movies))
        known.append(vectors(histories, np.where(since >= 0, histories.are_likes, 0.0), num_movies))
        first_of_users += first[-1]
    all_likes = vectors(histories, histories.are_likes.astype(np.float64), num_movies)
    return LaterLikes(vstack(first, format="csr"), first_of_users, all_likes.T.tocsr(), vstack(known).T.tocsr())


def add_liked_later(matrix: Matrix, likes: LaterLikes, regularisation: float, factor: float) -> None:
    """Add c·B₂ to a matrix in place: B₂ = (SᵀS + λ₂·w̄²·I)⁻¹SᵀY, where w̄² is the mean square of the weights in S.

    Args:
        matrix: The matrix.
        likes: S and Y.
        regularisation: λ₂.
        factor: c.
    """
    from scipy.linalg.lapack import spotrs

    if not likes.first.nnz:
        return
    factors = _cholesky(_regularised_gram(likes.first, regularisation))
    for columns in _blocks(len(matrix)):
        solved, _ = spotrs(factors, likes.product(columns), lower=1, overwrite_b=1)
        matrix[:, columns] += factor * solved


def _regularised_gram(rows: csr_array, regularisation: float) -> Matrix:
    """Return AᵀA + λ·w̄²·I in Fortran's order, where w̄² is the mean square of the values in A."""
    import numpy as np

    size = rows.shape[1]
    gram = np.empty((size, size), np.float32, order="F")
    columns = rows.T.tocsr()
    mean_square = np.square(rows.data).mean() if rows.nnz else 1.0
    for part in _blocks(size):
        product = (columns[part] @ rows).toarray()
        product[np.arange(len(product)), np.arange(part.start, part.stop)] += regularisation * mean_square
        gram[:, part] = product.T
    return gram


def _cholesky(matrix: Matrix) -> Matrix:
    """Return the lower Cholesky factor of a positive definite matrix, in place; what is above the diagonal is not 0."""
    from scipy.linalg.lapack import spotrf

    factors, failed = spotrf(matrix, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise ValueError("the item-by-item matrix cannot be inverted: give larger values for lambda_1 and lambda_2")
    return factors  # type: ignore[no-any-return]


def _inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a positive definite matrix, in place."""
    import numpy as np
    from scipy.linalg.lapack import spotri

    inverse: Matrix
    inverse, _ = spotri(_cholesky(matrix), lower=1, overwrite_c=1)
    for part in _blocks(len(inverse)):
        inverse[part, part.stop :] = inverse[part.stop :, part].T
        square = inverse[part, part]
        square[:] = np.tril(square) + np.tril(square, -1).T
    return inverse


def _blocks(size: int) -> Iterator[slice]:
    for start in range(0, size, _BLOCK):
        yield slice(start, min(start + _BLOCK, size))
