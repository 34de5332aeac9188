"""The endpoints, one module per resource. Each ``router`` function takes the data that its endpoints serve.

- ``ratings``, ``ratings_response``: ``GET /ratings``, and its pages in every format.
- ``posting``: ``POST /ratings``.
- ``catalogue``: ``/movies`` and ``/users``.
- ``operations``: ``/healthz``, ``/readyz`` and ``/metrics``.
- ``html_pages``: the landing page, and ``/docs``.
- ``read_route``: routes that respond to HEAD as well as GET.
"""
