"""The cost of our operators while Airflow parses a Dag file."""
