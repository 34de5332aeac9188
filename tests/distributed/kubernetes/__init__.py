"""Pods as Airflow renders and creates them. There is no cluster: their commands run as processes of this machine.

- ``page``: what docs/kubernetes.md shows.
- ``validation``: what Kubernetes demands of a pod.
- ``cluster``, ``api_server``: a stand-in for a cluster, and the part of its API that Airflow's executor uses.
"""
