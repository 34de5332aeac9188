"""The client beside a naive one, Airflow's HttpOperator, dlt and curl: `make bench-client`."""
