"""Pods as Airflow renders them, and the schemas of Kubernetes. There is no cluster."""
