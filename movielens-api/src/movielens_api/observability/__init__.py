"""What operators of the server see.

- ``metrics``: metrics for Prometheus, of one process or all workers.
- ``logs``: the access log and the server log.
"""
