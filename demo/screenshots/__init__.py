"""The pictures of the page and of the connection's form in `docs/images`: `make screenshots`.

It needs the tests' environment.

- ``__main__``: the command: a stack with real ratings, and the pictures of it.
- ``history``: two years of days and rankings, written without Airflow because that takes less time.
- ``pictures``: what is in the pictures of the page.
- ``connection_form``: the pictures of the connection's form.
"""
