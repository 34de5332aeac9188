"""The endpoints, one module per resource. Each ``router`` function takes the data that its endpoints serve.

- ``ratings``: ``GET /ratings``, in every format.
- ``posting``: ``POST /ratings``.
- ``movies_and_users``: ``/movies`` and ``/users``.
- ``recommendations``: ``/users/{userId}/recommendations``, ``/movies/{movieId}/similar`` and ``/recommendations``.
- ``operations``: ``/healthz``, ``/readyz`` and ``/metrics``.
- ``html_pages``: the landing page, and ``/docs``.
"""
