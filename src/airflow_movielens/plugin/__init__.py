"""The MovieLens page in Airflow's UI: what the tasks did, read from the catalogue under ``[movielens] data_root``.

- ``registration``: what Airflow loads in each of its components; imports nothing of the page. It also registers the
  deadline reference of partitions.
- ``app``: the application of the page, built in the API server when it starts.
- ``security``: who may see what, decided by Airflow's auth manager.
- ``source``: the catalogue, reduced to what the user may see.
- ``root_files``: which files it reads: those in the data root.
- ``views``: a module per view, with the routes under its name.
- ``partitions``: what the views say about the days of a dataset, computed from the catalogue.
- ``queries``: what the page reads and computes in processes of its own, so that the API server does not.
- ``ranking_kinds``: which files of the catalogue are rankings of the same kind, one for each day.
- ``ranking_scores``: what the score of each ranking method means.
- ``rank_chart``: the ranks of a movie over time as a line chart.
- ``registries``, ``evaluations``: the models of a registry, and how they were judged.
- ``movie_search``: titles, and the search for what somebody typed.
- ``rendering``: templates, and the URLs in them.
- ``static_files``: style sheets and scripts.
- ``errors``: what prevents a view, as a page that says what to do.
"""
