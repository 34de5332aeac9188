"""The local stack behind `make demo` and `make up`: the ratings API and a real Airflow, all inside this checkout."""
