"""Tests of a running Airflow; a package, so that the Airflow stops after the last of them."""
