"""Models trained, and recommendations made, by Apache Spark: the same, for ratings that one machine cannot hold.

Spark finds the latest ratings, and adds up those of each movie. For the products of the weights, the columns are
divided into blocks. The history of a user is sent to each block in which the user has a weight, and a task adds up one
block at a time. So no task holds more than a block and a batch of histories, however many ratings there are. The
matrices are inverted in this process.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from hashlib import sha256
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

import airflow_movielens
from airflow_movielens.ranking.dataframes import checked_ratings
from airflow_movielens.ranking.methods import LIKE
from airflow_movielens.ranking.spark import clear_errors
from airflow_movielens.recommending.catalogue import Catalogue, catalogue_of
from airflow_movielens.recommending.histories import NEUTRAL, NO_RATINGS, USERS_IN_DIGEST, Histories, digest_of
from airflow_movielens.recommending.matrices import COLUMNS_AT_ONCE, Columns, item_matrix, product_of
from airflow_movielens.recommending.model import USERS_AT_ONCE, Model, TrainingData, check_number
from airflow_movielens.recommending.parameters import ModelParameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa
    from pyspark.core.broadcast import Broadcast
    from pyspark.sql import Column, DataFrame

    from airflow_movielens.recommending.matrices import Matrix, ProductName
    from airflow_movielens.recommending.model import RankedLists

# A rating in a history is one number: the position of its movie times this, and its half-stars.
_CODES = 16
_PROBLEM_OF_PYTHON = re.compile(r"No module named '\w+'|\[PYTHON_VERSION_MISMATCH\][^.\n]*")
# How many ratings are multiplied at once.
_RATINGS_AT_ONCE = 1_000_000


def train_on_spark(ratings: DataFrame, parameters: ModelParameters) -> Model:
    """Train a model with Spark; the memory of its driver is bounded by the number of movies.

    Args:
        ratings: userId, movieId, rating (0.5 to 5.0 stars) and timestamp (Unix seconds or times); further columns are
            ignored.
        parameters: The parameters of the model.

    Returns:
        The model that `train` returns for these ratings and parameters.

    Raises:
        ValueError: There are no ratings, Spark cannot read a file, a column is missing, a value is missing or wrong, or
            the Python of the executors lacks a package.
    """
    import narwhals as nw

    with on_executors():
        checked = checked_ratings(ratings)
        if checked.implementation.is_polars():
            raise ValueError(NO_RATINGS)
        latest = latest_on_spark(nw.to_native(checked)).persist()
        try:
            return train_on_latest_of_spark(latest, parameters)
        finally:
            latest.unpersist()


def train_on_latest_of_spark(ratings: DataFrame, parameters: ModelParameters) -> Model:
    """Train a model on ratings as `latest_on_spark` returns them."""
    trained_on = facts_on_spark(ratings)
    catalogue = catalogue_of(ratings, parameters)
    return Model(parameters, catalogue, _matrix(ratings, catalogue.movies, parameters), trained_on)


def ease_on_spark(ratings: DataFrame, movies: npt.NDArray[np.int32], regularisation: float) -> Matrix:
    """Return the matrix of EASE on likes.

    Args:
        ratings: As `latest_on_spark` returns them.
        movies: The movies.
        regularisation: λ.
    """
    from pyspark.sql import functions as sf

    # Stars with the weights 1 and 0.
    likes = ratings.withColumn("rating", sf.when(sf.col("rating") >= LIKE, 4.0).otherwise(3.0))
    return _matrix(likes, movies, ModelParameters(lambda_1=regularisation, later_likes=0.0))


def recommend_on_spark(model: Model, ratings: DataFrame, n: int) -> Iterator[pl.DataFrame]:
    """Yield recommendations to all users of ratings, as `Model.recommend` returns them with reasons, by userId.

    The executors recommend, each to its own users. The memory of the driver is bounded by what one of them found.

    Args:
        model: The model.
        ratings: As for `train_on_spark`.
        n: How many movies to recommend to each user.

    Raises:
        ValueError: As for `train_on_spark`, or ``n`` is not one of those allowed.
    """
    import narwhals as nw
    import polars as pl

    check_number(n)
    with on_executors():
        checked = checked_ratings(ratings)
        if checked.implementation.is_polars():
            return
        users = _histories(latest_on_spark(nw.to_native(checked)), model.catalogue.all_movies, join="left")
        # As arrays and numbers, which executors read without this package.
        sent = ratings.sparkSession.sparkContext.broadcast((astuple(model.parameters), *_arrays_of(model)))
        recommend = partial(_recommend, sent=sent, trained_on=model.trained_on, n=n)
        in_order = users.repartitionByRange("userId").sortWithinPartitions("userId")
        # Kept by the executors, so that the driver can fetch one after another of what they find at once.
        found = in_order.mapInArrow(recommend, "recommended binary").persist()
        try:
            found.count()
            for (content,) in found.toLocalIterator():
                yield pl.read_ipc_stream(bytes(content))
        finally:
            found.unpersist()
            sent.unpersist()


def _arrays_of(model: Model) -> tuple[npt.NDArray[Any], ...]:
    catalogue = model.catalogue
    return (catalogue.movies, catalogue.trend, catalogue.other_movies, catalogue.other_trend, model.matrix)


def _recommend(
    batches: Iterable[pa.RecordBatch], sent: Broadcast[tuple[Any, ...]], trained_on: TrainingData, n: int
) -> Iterator[pa.RecordBatch]:
    """Yield recommendations to the users whose histories are given, some hundred users at a time."""
    import pyarrow as pa

    parameters, *of_catalogue, matrix = sent.value
    model = Model(ModelParameters(*parameters), Catalogue(*of_catalogue), matrix, trained_on)
    movies = model.catalogue.all_movies
    for batch in batches:
        histories = _decoded(batch)
        for start in range(0, len(histories.users), USERS_AT_ONCE):
            some = histories.of_users(start, start + USERS_AT_ONCE)
            table = _table_of(model.lists_of(some, movies, n, explain=True))
            stream = pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, table.schema) as writer:
                writer.write_table(table)
            yield pa.record_batch({"recommended": pa.array([stream.getvalue().to_pybytes()], pa.binary())})


def _table_of(lists: RankedLists) -> pa.Table:
    """Return recommendations with reasons as `RankedLists.to_frame` does, without Polars."""
    import numpy as np
    import pyarrow as pa

    reasons = lists.reasons
    if reasons is None:
        raise ValueError("the recommendations have no reasons")
    is_reason = reasons.contributions > 0
    offsets = np.concatenate([[0], np.cumsum(is_reason.sum(axis=1))]).astype(np.int64)
    columns = {"movieId": reasons.movies, "rating": reasons.ratings, "contribution": reasons.contributions}
    values = pa.StructArray.from_arrays([pa.array(column[is_reason]) for column in columns.values()], list(columns))
    return pa.table(
        {
            "userId": lists.users,
            "rank": lists.ranks,
            "movieId": lists.movies,
            "score": lists.scores,
            "reasons": pa.LargeListArray.from_arrays(offsets, values),
        }
    )


def _matrix(latest: DataFrame, movies: npt.NDArray[np.int32], parameters: ModelParameters) -> Matrix:
    histories = _histories(latest, movies).persist()
    try:
        return item_matrix(_ProductsOnSpark(histories, len(movies), parameters.decay), len(movies), parameters)
    finally:
        histories.unpersist()


@contextmanager
def on_executors() -> Iterator[None]:
    """Send our functions to the executors, and name what they lack, or which file they cannot read."""
    with clear_errors(), clear_errors_of_python(), _code_is_sent():
        yield


@contextmanager
def clear_errors_of_python() -> Iterator[None]:
    """Say what the Python of the executors needs, if it cannot run our functions."""
    try:
        yield
    except Exception as error:
        found = _PROBLEM_OF_PYTHON.search(str(error))
        if not found:
            raise
        raise ValueError(
            f"the Python of Spark's executors cannot run a task ({found[0]}): it needs the version of the driver's"
            " Python, and numpy, scipy and pyarrow. PYSPARK_PYTHON says which Python it is"
        ) from error


@contextmanager
def _code_is_sent() -> Iterator[None]:
    """Send our functions to the executors as code, so that this package does not have to be installed there."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(airflow_movielens)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(airflow_movielens)


def latest_on_spark(ratings: DataFrame) -> DataFrame:
    """Return the latest rating of each user and movie (at the same second, the higher one), with the group of users."""
    from pyspark.sql import functions as sf

    group = sf.floor(sf.col("userId") / USERS_IN_DIGEST).cast("int")
    rows = ratings.select(
        group.alias("group"),
        sf.col("userId").cast("int"),
        sf.col("movieId").cast("int"),
        sf.struct("timestamp", sf.col("rating").cast("float").alias("rating")).alias("rated"),
    )
    # All that follows groups by users: the ratings are moved once.
    latest = rows.repartition("group").groupBy("group", "userId", "movieId").agg(sf.max("rated").alias("rated"))
    return latest.select("group", "userId", "movieId", "rated.rating", "rated.timestamp")


def facts_on_spark(latest: DataFrame) -> TrainingData:
    """Describe ratings as `latest_on_spark` returns them, at least one, as `TrainingData.of` does."""
    from pyspark.sql import functions as sf

    stamps = sf.col("timestamp")
    histogram = [sf.count_if(sf.col("rating") == half_stars / 2) for half_stars in range(1, 11)]
    ratings, users, first, last, *histogram_of_stars = latest.agg(
        sf.count("*"), sf.count_distinct("userId"), sf.min(stamps), sf.max(stamps), *histogram
    ).first()
    digests = latest.groupBy("group").applyInArrow(_digest, "group int, digest binary").orderBy("group").collect()
    checksum = sha256(b"".join(digest for _, digest in digests)).hexdigest()
    return TrainingData(ratings, users, first, last, list(histogram_of_stars), checksum)


def _digest(ratings: pa.Table) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    columns = {name: ratings[name].to_numpy() for name in ("userId", "movieId", "rating", "timestamp")}
    order = np.lexsort((columns["movieId"], columns["timestamp"], columns["userId"]))
    digest = digest_of({name: column[order] for name, column in columns.items()})
    return pa.table({"group": ratings["group"][:1], "digest": [digest]})


def _histories(latest: DataFrame, movies: npt.NDArray[np.int32], join: Literal["inner", "left"] = "inner") -> DataFrame:
    """Return the ratings of each user of some movies, in the order of timestamp and movieId.

    Args:
        latest: As `latest_on_spark` returns them.
        movies: The movies.
        join: ``left`` to keep users who have rated none of them.
    """
    from pyspark.sql import functions as sf

    catalogue = [(movie, position) for position, movie in enumerate(movies.tolist())]
    positions = latest.sparkSession.createDataFrame(catalogue, "movieId int, position int")
    code = (sf.col("position") * _CODES + sf.col("rating") * 2).cast("int")
    rated = sf.when(code.isNotNull(), sf.struct("timestamp", "movieId", code.alias("code")))
    rows = latest.join(sf.broadcast(positions), "movieId", join).select("userId", rated.alias("rated"))
    users = rows.groupBy("userId").agg(sf.array_sort(sf.collect_list("rated")).alias("rated"))
    return users.select("userId", sf.transform("rated", lambda rated: rated["code"]).alias("codes"))


@dataclass(frozen=True, eq=False)
class _ProductsOnSpark:
    """The products of the weights of all users, by blocks of columns.

    Attributes:
        histories: userId and the codes of the user's ratings, in order.
        num_movies: The number of movies.
        decay: How fast the weight of a rating fades.
    """

    histories: DataFrame
    num_movies: int
    decay: float

    def liked_together(self) -> Iterator[Columns]:
        """Yield all columns of XᵀX."""
        return self._columns("XᵀX")

    def liked_later(self) -> tuple[Iterator[Columns], Iterator[Columns]]:
        """Return all columns of SᵀS, then those of SᵀY."""
        return self._columns("SᵀS"), self._columns("SᵀY")

    def _columns(self, name: ProductName) -> Iterator[Columns]:
        import numpy as np

        # Kept by the executors, so that the driver can fetch one after another of what they compute at once.
        found = self._product(name).persist()
        try:
            found.count()
            for first, step, num_values, content in found.toLocalIterator():
                product = np.frombuffer(content, np.float32).reshape(-1, self.num_movies)
                yield Columns(slice(first, self.num_movies, step), product, num_values)
        finally:
            found.unpersist()

    def _product(self, name: ProductName) -> DataFrame:
        from pyspark.sql import functions as sf

        # Every so many movies are a block, so that each block has as many popular movies as the others.
        num_blocks = -(-self.num_movies // COLUMNS_AT_ONCE)

        def block(code: Column) -> Column:
            return (sf.floor(code / _CODES) % num_blocks).cast("int")

        weighted = sf.filter("codes", lambda code: code % _CODES > int(NEUTRAL * 2))
        blocks = sf.explode(sf.array_distinct(sf.transform(weighted, block)))
        rows = self.histories.select(blocks.alias("block"), "userId", "codes")
        add_up = partial(_add_up, name=name, num_movies=self.num_movies, decay=self.decay, num_blocks=num_blocks)
        of_blocks = rows.repartition("block").sortWithinPartitions("block", "userId")
        return of_blocks.mapInArrow(add_up, "first int, step int, num_values long, product binary")


def _add_up(
    batches: Iterable[pa.RecordBatch], name: ProductName, num_movies: int, decay: float, num_blocks: int
) -> Iterator[pa.RecordBatch]:
    """Yield the blocks of columns whose histories are given, sorted by block."""
    import numpy as np
    import pyarrow as pa

    for block, parts in groupby(_parts(batches), itemgetter(0)):
        movies = slice(block, num_movies, num_blocks)
        total, num_values = np.zeros((len(range(num_movies)[movies]), num_movies)), 0
        for _, histories in parts:
            columns = product_of(name, histories, num_movies, decay).columns(movies)
            total += columns.product
            num_values += columns.num_values
        yield pa.record_batch(
            {
                "first": pa.array([block], pa.int32()),
                "step": pa.array([num_blocks], pa.int32()),
                "num_values": pa.array([num_values], pa.int64()),
                "product": [total.astype(np.float32).tobytes()],
            }
        )


def _parts(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Histories]]:
    """Yield histories of one block, about `_RATINGS_AT_ONCE` ratings at a time."""
    import numpy as np

    for batch in batches:
        blocks, lengths = batch["block"].to_numpy(), batch["codes"].value_lengths().to_numpy()
        ratings = np.cumsum(lengths) // _RATINGS_AT_ONCE
        changes = np.flatnonzero((np.diff(blocks) != 0) | (np.diff(ratings) != 0)) + 1
        for start, end in pairwise([0, *changes.tolist(), len(blocks)]):
            yield int(blocks[start]), _decoded(batch[start:end])


def _decoded(users: pa.RecordBatch) -> Histories:
    import numpy as np

    codes = users["codes"].flatten().to_numpy()
    starts = np.concatenate([[0], np.cumsum(users["codes"].value_lengths().to_numpy())]).astype(np.int32)
    return Histories(users["userId"].to_numpy(), starts, codes // _CODES, codes % _CODES / 2)
