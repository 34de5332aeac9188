"""The partitions of a dataset: which days are there, and whether they can be trusted.

All of it is computed from records of the catalogue, without reading ratings.

- ``recorded_file``: a file that a task wrote or failed to write, as the catalogue recorded it.
- ``fetch``, ``ranking``: such files of ratings, and of ranked movies.
- ``partition``: a day with its fetches.
- ``status``, ``explanation``: what may be wrong with a day, in words and in sentences.
- ``lateness``: which days changed after they were ranked, and which rankings are out of date since.
- ``dataset``: the days and longer windows that were fetched into one folder.
- ``periods``: the days of a dataset, without long gaps.
- ``portfolio``: the datasets of a data root.
- ``figures``: the key figures, and days as spans of consecutive days.
- ``calendar``: three years of months, weeks and days.
- ``trailing``, ``histogram``: a day compared to the 30 days before it, and the chart of that.
- ``remedies``: lists of days with what is wrong, and how to fix it.
- ``backfills``: the Dag that fetches a day again, and the command for it.
- ``quarantine``: a sample of the rows that a fetch quarantined.
"""
