"""HTTP as the RFCs define it, independent of any route.

- ``problems``: errors as ``application/problem+json``.
- ``parameters``: strict query parameters.
- ``negotiation``: ``Accept`` and ``Accept-Encoding``.
- ``compression``: gzip and zstd.
- ``etags``: entity tags, and documents that a browser may cache.
- ``pages``: a slice of rows in the JSON envelope, and the models of the OpenAPI document.
- ``cursors``: signed tokens for the pages of a snapshot.
- ``streaming``: streamed responses that stop when the client leaves.
- ``file_space``: the space of responses that are written to a file before they are sent.
- ``ingest``: the body of a POST with ratings, parsed and checked.
- ``content_security``: what a browser may load.
- ``read_route``: routes that respond to HEAD as well as GET.
"""
