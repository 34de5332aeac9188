"""The competitors: programs that load ratings into the table ``ratings``, and measure themselves.

Each takes the URL of the database, the Parquet file of ratings, and the number of ratings to load.
"""
