"""A stand-in for a cluster: it keeps pods, runs their containers as processes of this machine, and tells what happens.

It has what Airflow's executor needs of Kubernetes: no images, no volumes, no limits of memory or disk.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

from distributed.kubernetes.validation import problems

from benchmarks.memory import peak_of
from demo.processes import Component, process_groups

SECONDS_BETWEEN = 0.1
SECONDS_OF_A_WAIT = 5


class Cluster:
    """The pods of a cluster.

    Args:
        folder: Where each pod has a disk of its own, which is empty when the pod starts.
        image: The environment variables that the pods' image sets.
        secrets: The Kubernetes Secrets, by name and key.
        sessions: The record of the processes, so that they end with the tests.
    """

    def __init__(self, folder, image, secrets, sessions):
        self.pods, self.events, self.refused, self.peaks = {}, [], [], {}
        self.changed = threading.Condition()
        self._folder, self._image, self._secrets, self._sessions = folder, image, secrets, sessions
        self._containers = {}

    def create(self, pod):
        """Start a pod if Kubernetes would accept it; return what it would refuse."""
        pod = {"apiVersion": "v1", "kind": "Pod", **pod}
        if found := problems(pod):
            self.refused.append((pod["metadata"]["name"], found))
            return pod, found
        name = pod["metadata"]["name"]
        pod["metadata"] |= {"uid": name, "creationTimestamp": _now()}
        self.pods[name] = pod
        self._tell("ADDED", pod, {"phase": "Pending"})
        self._containers[name] = self._container(pod)
        self._tell("MODIFIED", pod, {"phase": "Running"})
        threading.Thread(target=self._watch, args=(name, self._containers[name]), daemon=True).start()
        return pod, []

    def delete(self, name):
        """End a pod and forget it."""
        pod = self.pods.pop(name)
        pod["metadata"]["deletionTimestamp"] = _now()
        self.kill(name)
        self._tell("DELETED", pod)

    def label(self, name, labels):
        """Set labels of a pod."""
        pod = self.pods[name]
        pod["metadata"]["labels"] |= labels
        self._tell("MODIFIED", pod)
        return pod

    def created(self):
        """Return all pods that were ever created, oldest first."""
        return [event["object"] for event in self.events if event["type"] == "ADDED"]

    def created_for(self, run_id):
        """Return the names of the pods of a Dag run, oldest first."""
        return [pod["metadata"]["name"] for pod in self.created() if pod["metadata"]["annotations"]["run_id"] == run_id]

    def log(self, name):
        """Return what a pod has printed."""
        return self._containers[name].log.read_text()

    def events_after(self, number):
        """Return the events after the first ones; wait a little if there are none."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.events) > number, SECONDS_OF_A_WAIT)
            return self.events[number:]

    def kill(self, name):
        """Kill all processes of a pod at once, as the kernel does when it needs too much memory."""
        for group in process_groups({self._containers[name].session}):
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _container(self, pod):
        (container,) = pod["spec"]["containers"]
        disk = self._folder / pod["metadata"]["name"]
        (disk / "tmp").mkdir(parents=True)
        variables = {each["name"]: self._value(each) for each in container["env"]}
        own = {"HOME": str(disk), "TMPDIR": str(disk / "tmp"), "AIRFLOW_HOME": str(disk / "airflow")}
        command = [sys.executable if word == "python" else word for word in container["args"]]
        started = Component(
            pod["metadata"]["name"], command, self._image | own | variables, disk, disk / "log", runs_once=True
        )
        self._sessions.add(started.session)
        return started

    def _value(self, variable):
        if "value" in variable:
            return variable["value"]
        reference = variable["valueFrom"]["secretKeyRef"]
        return self._secrets[reference["name"]][reference["key"]]

    def _watch(self, name, container):
        with peak_of(container.session) as peak:
            while container.exit_code is None:
                threading.Event().wait(SECONDS_BETWEEN)
        self.peaks[name] = peak.pss
        if name in self.pods:
            self._tell("MODIFIED", self.pods[name], {"phase": "Failed" if container.exit_code else "Succeeded"})

    def _tell(self, kind, pod, status=None):
        with self.changed:
            pod["metadata"]["resourceVersion"] = str(len(self.events) + 1)
            pod["status"] = status or pod["status"]
            self.events.append({"type": kind, "object": copy.deepcopy(pod)})
            self.changed.notify_all()


def _now():
    return datetime.now(UTC).isoformat()
