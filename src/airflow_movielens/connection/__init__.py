"""Airflow connections of type ``movielens``.

- ``client_factory``: a connection as a client of its API, and the result of the *Test* button.
- ``form``: the fields of the connection's form.
- ``coerce``: values that arrive as text, from an extra, a template or the environment.
"""
