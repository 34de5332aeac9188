"""What the page reads and computes in processes of its own, so that the API server never loads Polars or NumPy.

A query is a public function of a module of this folder. Its first argument is the list of files that it reads
(`files.QueryFile`), the others are values that JSON can hold, as is the result. Modules with queries import no Airflow,
and only the processes of queries import them.

- ``runner``: runs a query in a process, for the API server.
- ``__main__``: that process.
- ``files``: the files that a query reads.
- ``rankings``: rankings with movement, and the course of a movie over time.
- ``recommendations``: recommendations for a user, and similar movies.
- ``fold_in``: recommendations for liked movies.
- ``ranking_files``: files of rankings.
"""
