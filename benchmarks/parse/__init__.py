"""What our operators cost while Airflow parses a Dag file."""
