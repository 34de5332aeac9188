"""The views of the page. Each module has a ``router``, whose routes render its template in ``templates/``.

- ``partitions``: the days of a dataset as a calendar, and a day.
- ``rankings``: the current ranking, and a movie's course.
- ``models``: champion, challenger and previous model of a registry.
- ``recommendations``: movies for a user, for liked movies, and similar ones.
- ``runs``: the tab on a Dag run.
- ``tasks``: the tab on a task instance.
"""
