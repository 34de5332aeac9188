"""The tables of a ratings API and their files, without Airflow and HTTP.

- ``schema``: columns, dtypes and the order of rows.
- ``validation``: rows against the schema.
- ``paths``: paths, URLs and file formats.
- ``reading``, ``csv_rows``, ``json_rows``, ``text_files``: tables from files.
- ``writing``, ``atomic_files``, ``locks``: tables to files, whole or not at all.
- ``json_values``: the values of JSON files.
- ``own_folders``: folders that only our own user writes to.
- ``task_run``: the task instance that wrote a file.
- ``messages``: values in error messages.
"""
