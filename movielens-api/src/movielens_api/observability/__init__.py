"""What operators of the server see.

- ``metrics``: metrics for Prometheus, of one process or all workers.
- ``access_log``: the access log.
- ``server_log``: warnings and errors, limited in number.
- ``slow_requests``: warnings about requests that take long.
- ``masking``: hides passwords and tokens in the targets of requests.
"""
