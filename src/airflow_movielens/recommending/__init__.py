"""Personal recommendations from ratings, without Airflow and HTTP.

- ``training``: a model from ratings.
- ``spark``: the same model from ratings on a Spark cluster.
- ``model``: what is recommended to users, and which movies are similar.
- ``parameters``: the parameters of a model, checked.
- ``memory``: how much memory there is for them.
- ``catalogue``: the movies of a model, and how many users like them now.
- ``histories``: the ratings of each user in time order, and the vector that sums them up.
- ``data_checks``: how ratings differ from those that a model was trained on.
- ``matrices``: the item-by-item matrices, from the weights of ratings.
- ``artefacts``: models in files.
- ``titles``: the titles of movies, and the search in them.
- ``manifest``: from which model and ratings recommendations in a file come.
- ``explanations``: which of a user's ratings a recommendation comes from.
- ``registry``: versions of models in a folder, and which one is served.
- ``events``: the history of a registry.
- ``gate``: whether a model may be promoted.
- ``promotion``: from an evaluation to the registry.
- ``evaluation``: how good recommendations are, without leaks.
"""

from __future__ import annotations

from airflow_movielens.recommending.artefacts import load_model
from airflow_movielens.recommending.model import Model
from airflow_movielens.recommending.parameters import ModelParameters
from airflow_movielens.recommending.training import train

__all__ = ["Model", "ModelParameters", "load_model", "train"]
