"""Services of the operating system, the calendar, and rates of events.

- ``locks``: locks between processes.
- ``atomic_files``: files and folders that appear whole or not at all.
- ``private_files``: files and folders that only their owner can read.
- ``temporary_folders``: temporary folders that do not outlive their process.
- ``json_values``: JSON of files.
- ``directories``: the user's directories for caches and for data.
- ``signals``: signals that stop a server.
- ``days``: UTC days and Unix seconds.
- ``rate``: a rate of events: a burst, then one per interval.
"""
