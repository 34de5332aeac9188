"""The MovieLens page in Airflow.

- ``queries``: what the page reads and computes in processes of its own, so that the API server does not.
"""
