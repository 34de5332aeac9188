"""Read a window page by page, whatever kind of pagination the server offers.

- ``detect``: read a window; the first response selects the kind of pagination.
- ``offsets``, ``cursors``, ``sections``: the kinds of pagination.
- ``page_sizes``: how many rows the next request asks for.
- ``source``: requests for pages and streams, and what all reads share.
- ``consistency``: checks that pages belong to one state of the data.
- ``verify_window``: verify that the server's days are the requested days.
"""
