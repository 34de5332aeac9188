"""HTTP: one request and its response.

- ``transport`` sends requests, over the session of ``session``, whose TLS is that of ``tls`` and whose sockets
  (``connections``) can be cut off; or passes them to a function, for tests.
- ``kept_alive`` sends a request over an open connection with fewer steps than urllib3.
- ``rate_limit`` says when requests may start, ``timeouts`` when they are cut off, and ``retries`` which are repeated.
- ``responses`` reads and decompresses bodies.
- ``error_mapping`` chooses the error for a status or a failure.
- ``auth`` adds the credentials to requests, and ``masking`` hides them in what a server says.
- ``origins`` keeps links and redirects on the API's origin.
"""
