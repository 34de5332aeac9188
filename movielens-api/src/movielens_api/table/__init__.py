"""The ratings in memory, and as files that processes share.

- ``catalogue``: the ratings, movies and users of a dataset.
- ``ratings_table``: one state of the ratings, and any window of it.
- ``sorted_run``: ratings as sorted columns, and changes laid over them.
- ``base_files``: a table as files that are mapped into memory.
- ``snapshots``: states of the ratings, and their names.
"""
