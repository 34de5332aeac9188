"""The client compared with a naive one, Airflow's HttpOperator, dlt and curl: `make bench-client`."""
