"""The part of Kubernetes' HTTP API that Airflow's executor uses, for a stand-in of a cluster."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from demo.ports import LOOPBACK

VERBS = ["create", "delete", "get", "list", "patch", "watch"]
TERM = re.compile(r"([^=!,\s]+)(?:\s*(!=|=|notin|in)\s*(\([^)]*\)|[^,]*))?,?")
# What the client asks for before it lists pods.
DISCOVERY = {
    "/version": {"major": "1", "minor": "37"},
    "/apis": {"kind": "APIGroupList", "groups": []},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": VERBS}],
    },
}


@contextmanager
def serve(cluster):
    """Serve a cluster's API for as long as the block runs, and yield its URL."""
    with ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (PodsHandler,), {"cluster": cluster})) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


def matches(pod, selector):
    """Return whether a pod has the labels of a selector, such as ``a=b,c!=d,e,f notin (g,h)``."""
    return all(_fits(pod["metadata"]["labels"], *term.groups()) for term in TERM.finditer(selector))


def _fits(labels, name, operator, value):
    if operator is None:
        return name in labels
    is_among = labels.get(name) in value.strip("()").split(",")
    return is_among == (operator in {"=", "in"})


class PodsHandler(BaseHTTPRequestHandler):
    """List, watch, create, label and delete pods."""

    protocol_version = "HTTP/1.1"
    cluster = None

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        selector = query.get("labelSelector", "")
        if url.path.rstrip("/") in DISCOVERY:
            self.reply(DISCOVERY[url.path.rstrip("/")])
        elif not url.path.endswith("/pods"):
            self.reply(*self.found(self.pod_name))
        elif query.get("watch", "").lower() == "true":
            with suppress(OSError):  # the client has closed the connection
                self.stream(int(query.get("resourceVersion", 0)), selector)
        else:
            items = [pod for pod in list(self.cluster.pods.values()) if matches(pod, selector)]
            version = {"resourceVersion": str(len(self.cluster.events))}
            self.reply({"apiVersion": "v1", "kind": "PodList", "metadata": version, "items": items})

    def do_POST(self):
        pod, problems = self.cluster.create(self.body())
        refusal = {"kind": "Status", "reason": "Invalid", "message": str(problems)}
        self.reply(*((refusal, HTTPStatus.UNPROCESSABLE_ENTITY) if problems else (pod, HTTPStatus.CREATED)))

    def do_PATCH(self):
        labels = self.body()["metadata"]["labels"]
        self.reply(self.cluster.label(self.pod_name, labels))

    def do_DELETE(self):
        self.body()
        pod, status = self.found(self.pod_name)
        if status == HTTPStatus.OK:
            self.cluster.delete(self.pod_name)
        self.reply(pod, status)

    @property
    def pod_name(self):
        return urlsplit(self.path).path.rpartition("/")[2]

    def found(self, name):
        """Return a pod, or an error, with the status."""
        if pod := self.cluster.pods.get(name):
            return pod, HTTPStatus.OK
        return {"kind": "Status", "reason": "NotFound"}, HTTPStatus.NOT_FOUND

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def reply(self, content, status=HTTPStatus.OK):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, told, selector):
        """Send each event after those that the client knows, for as long as it listens."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            events = self.cluster.events_after(told)
            told += len(events)
            for event in events:
                if matches(event["object"], selector):
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def log_message(self, *_arguments):
        """Say nothing."""
