"""ASGI middleware, from the outermost to the innermost.

- ``observability``: counts and logs every request.
- ``http10``: sends responses that an HTTP/1.0 client can read.
- ``ambiguity``: refuses requests that two programs could understand differently.
- ``allowed_hosts``: refuses requests for another host.
- ``request_limits``: limits the size of requests and how long they may take.
- ``authentication``: lets only known users pass, and checks roles.
- ``rate_limit``: limits how often each user may send requests.
"""
