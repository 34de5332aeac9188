"""HTTP, as the RFCs define it, apart from any route.

- ``problems``: errors as ``application/problem+json``.
- ``parameters``: query parameters, strictly.
- ``negotiation``: ``Accept`` and ``Accept-Encoding``.
- ``compression``: gzip and zstd.
- ``etags``: entity tags, and documents that a browser may keep.
- ``pages``: a slice of rows in the JSON envelope, and what the rows look like in the OpenAPI document.
- ``cursors``: signed tokens that lead through a snapshot.
- ``ingest``: the body of ``POST /ratings`` as checked rows.
- ``content_security``: what a browser may load.
"""
