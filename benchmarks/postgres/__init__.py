"""Loads into PostgreSQL compared with inserts, executemany and plain COPY: `make bench-postgres`."""
