"""The item-by-item matrices, from the weights of ratings.

B = B₁ + c·B₂. B₁ says which movies are liked together, and B₂ which movies users come to like after their first likes.
Both need only products of the weights of all users, which are computed by columns.

Products are summed with 64 bits and kept with 32, and at most two matrices of the catalogue's size are in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_movielens.recommending.histories import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from airflow_movielens.recommending.histories import Histories
    from airflow_movielens.recommending.parameters import ModelParameters

    Matrix = npt.NDArray[np.float32]

ProductName = Literal["XᵀX", "SᵀS", "SᵀY"]

_FIRST_LIKES = (1, 2, 3, 5, 10, 20)
# Columns of a product that are computed at once.
COLUMNS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a product of the weights of users.

    Attributes:
        movies: The positions of their movies.
        product: The columns, each as a row.
        num_values: The number of weights in these columns of the matrix that is multiplied.
    """

    movies: slice
    product: npt.NDArray[Any]
    num_values: int = 0


class Products(Protocol):
    """The products that the item-by-item matrix is computed from; X, S and Y are those of `item_matrix`."""

    def liked_together(self) -> Iterator[Columns]:
        """Yield all columns of XᵀX."""

    def liked_later(self) -> tuple[Iterator[Columns], Iterator[Columns]]:
        """Return all columns of SᵀS, then those of SᵀY."""


@dataclass(frozen=True, eq=False)
class ProductsOfHistories:
    """The products of the weights of some users.

    Attributes:
        histories: The ratings of the users.
        num_movies: The number of movies.
        decay: How fast the weight of a rating fades.
    """

    histories: Histories
    num_movies: int
    decay: float

    def liked_together(self) -> Iterator[Columns]:
        """Yield all columns of XᵀX."""
        return _columns_of(product_of("XᵀX", self.histories, self.num_movies, self.decay), self.num_movies)

    def liked_later(self) -> tuple[Iterator[Columns], Iterator[Columns]]:
        """Return all columns of SᵀS, then those of SᵀY."""
        likes = later_likes(self.histories, self.num_movies, self.decay)
        return _columns_of(Gram(likes.first), self.num_movies), _columns_of(likes, self.num_movies)


class Gram:
    """AᵀA.

    Args:
        rows: A.
    """

    def __init__(self, rows: csr_array) -> None:
        self.rows = rows
        self._transposed = rows.T.tocsr()

    def columns(self, movies: slice) -> Columns:
        """Return some columns."""
        part = self._transposed[movies]
        return Columns(movies, (part @ self.rows).toarray(), part.nnz)


def product_of(name: ProductName, histories: Histories, num_movies: int, decay: float) -> Gram | LaterLikes:
    """Return a product of the weights of some users, of which no column is computed yet."""
    if name == "XᵀX":
        return Gram(vectors(histories, histories.weights, num_movies))
    likes = later_likes(histories, num_movies, decay)
    return Gram(likes.first) if name == "SᵀS" else likes


def item_matrix(products: Products, num_movies: int, parameters: ModelParameters) -> Matrix:
    """Return B: how much a unit of a rated movie's weight (the row) adds to the score of a movie (the column).

    Args:
        products: The products of the weights of users. X has the weights of all ratings; for S and Y see `LaterLikes`.
        num_movies: The number of movies.
        parameters: The parameters of the model.
    """
    matrix = _liked_together(products.liked_together(), num_movies, parameters.lambda_1)
    if parameters.later_likes:
        add_liked_later(matrix, products, parameters.lambda_2, parameters.later_likes)
    return matrix


def liked_together(weights: csr_array, regularisation: float) -> Matrix:
    """Return B₁ = -P/diag(P) with a diagonal of 0, where P = (XᵀX + λ₁·w̄²·I)⁻¹.

    w̄² is the mean square of the weights. Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW
    2019), there for likes.

    Args:
        weights: X, the weights of users (rows) for movies (columns).
        regularisation: λ₁.
    """
    size = weights.shape[1]
    return _liked_together(_columns_of(Gram(weights), size), size, regularisation)


def _liked_together(gram: Iterator[Columns], size: int, regularisation: float) -> Matrix:
    import numpy as np

    inverse = _inverse(_regularised(gram, size, regularisation))
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

    def columns(self, movies: slice) -> Columns:
        """Return some columns of SᵀY.

        Y has a user's later likes up to six times, so it is not built: SᵀY is the product of each user's summed rows
        and likes, without that of the rows and the likes known in them.
        """
        transposed = self.likes[movies] @ self.first_of_users
        transposed -= self.known[movies] @ self.first
        return Columns(movies, transposed.toarray())


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


def add_liked_later(matrix: Matrix, products: Products, regularisation: float, factor: float) -> None:
    """Add c·B₂ to a matrix in place: B₂ = (SᵀS + λ₂·w̄²·I)⁻¹SᵀY, where w̄² is the mean square of the weights in S.

    Args:
        matrix: The matrix.
        products: SᵀS and SᵀY.
        regularisation: λ₂.
        factor: c.
    """
    import numpy as np
    from scipy.linalg.lapack import spotrs

    gram, product = products.liked_later()
    factors = _cholesky(_regularised(gram, len(matrix), regularisation))
    for columns in product:
        solved, _ = spotrs(factors, columns.product.astype(np.float32).T, lower=1, overwrite_b=1)
        matrix[:, columns.movies] += factor * solved


def _columns_of(product: Gram | LaterLikes, size: int) -> Iterator[Columns]:
    for movies in _blocks(size):
        yield product.columns(movies)


def _regularised(gram: Iterator[Columns], size: int, regularisation: float) -> Matrix:
    """Return AᵀA + λ·w̄²·I in Fortran's order, where w̄² is the mean square of the values in A."""
    import numpy as np

    matrix = np.empty((size, size), np.float32, order="F")
    # The squares of A are summed in it.
    diagonal = np.empty(size)
    num_values = 0
    for columns in gram:
        matrix[:, columns.movies] = columns.product.T
        diagonal[columns.movies] = columns.product[:, columns.movies].diagonal()
        num_values += columns.num_values
    mean_square = diagonal.sum() / num_values if num_values else 1.0
    np.fill_diagonal(matrix, diagonal + regularisation * mean_square)
    return matrix


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
    for start in range(0, size, COLUMNS_AT_ONCE):
        yield slice(start, min(start + COLUMNS_AT_ONCE, size))
