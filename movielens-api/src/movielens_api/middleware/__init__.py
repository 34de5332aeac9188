"""ASGI middleware, from the outermost to the innermost.

- ``observability``: count and log every request.
- ``http10``: responses that an HTTP/1.0 client can read.
- ``ambiguity``: refuse requests that two programs could understand differently.
- ``request_limits``: limit what a request may send and how long it may take.
- ``authentication``: let only known users pass.
- ``rate_limit``: limit how often each user may ask.
"""
