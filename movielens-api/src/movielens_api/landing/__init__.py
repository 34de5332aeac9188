"""The landing page at ``/``: the loaded data, ratings per year, and calls to copy. It loads nothing from other sites.

- ``page``: the page, and the calls to copy.
- ``chart``: ratings per year as an SVG chart and as a table.
"""
