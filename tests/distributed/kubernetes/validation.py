"""What Kubernetes demands of a pod: its schema, and what the API server checks beyond it."""

from __future__ import annotations

import re

import kubernetes_validate
from kubernetes.utils import parse_quantity

NEWEST = kubernetes_validate.latest_version()
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def problems(pod, version=NEWEST):
    """Return what the API server of a version of Kubernetes would refuse."""
    try:
        kubernetes_validate.validate(pod, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    metadata, spec = pod["metadata"], pod["spec"]
    found = [] if NAME.fullmatch(metadata["name"]) else [f"name {metadata['name']}"]
    found += [f"label {value}" for value in metadata.get("labels", {}).values() if not LABEL.fullmatch(value)]
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"]:
        found += [] if container.get("image") else ["no image"]
        found += [f"mount {each['name']}" for each in container.get("volumeMounts", []) if each["name"] not in volumes]
        found += _unsatisfiable(container.get("resources", {}))
    return found


def _unsatisfiable(resources):
    requests, limits = (
        {name: parse_quantity(amount) for name, amount in resources.get(kind, {}).items()}
        for kind in ("requests", "limits")
    )
    return [f"request of {name}" for name in requests if requests[name] > limits.get(name, requests[name])]
