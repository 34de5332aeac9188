"""Files and fetched ratings loaded into tables of PostgreSQL.

- ``contents``: what is loaded: ratings, movies, a ranking or recommendations, and the types of their columns.
- ``input_rows``: the rows of files, and the windows that these files hold.
- ``scope``: which rows of a table a load replaces.
- ``connection``: a connection of Airflow's hook, with psycopg 3 or psycopg2.
- ``errors``: the errors of PostgreSQL, by what the caller should do.
- ``table``: a table, whether it fits, and how it is created.
- ``copying``: rows as the data of COPY.
- ``loading``: rows that replace others in one transaction.
"""
