"""Rankings of a file compared with DuckDB, pandas, Spark, plain Polars and a bare scan: `make bench-rank`."""
