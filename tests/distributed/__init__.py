"""Tests with servers that are not in the environment of the other tests: Celery's workers, object storage, Kubernetes."""
