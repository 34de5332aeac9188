"""What the page reads and computes in processes of its own, so that the API server never loads Polars or NumPy.

A query is a public function of a module of this folder. Its first argument is the list of files that it reads
(`files.QueryFile`), the others are values that JSON can hold, as is the result. Modules with queries import no Airflow,
and only the processes of queries import them.

- ``runner``: runs a query in a process, for the API server.
- ``__main__``: that process.
- ``local_files``: its files on this machine, and copies of remote ones.
- ``files``: the files that a query reads.
- ``rankings``: rankings with movement.
- ``courses``: the course of a movie through rankings.
- ``recommendations``: what a published file recommends to a user.
- ``models``: what a model recommends for liked movies, and similar movies.
- ``ranking_files``: files of rankings.
- ``ranking_text``: the text of such a file, and a movie's lines in it.
"""
