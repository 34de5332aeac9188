"""docs/deploy.md as its reader follows it: its settings and commands, with the names of the reader's machines."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from demo.configuration import base_environment
from demo.layout import ROOT
from demo.ports import LOOPBACK, choose_port
from demo.processes import Component, Guardian, SessionRecord, stop
from demo.services.postgres import Postgres
from demo.services.s3 import S3
from demo.services.service import running
from demo.services.valkey import Valkey
from demo.watch import Interruption, Watch

PAGE = (ROOT / "docs/deploy.md").read_text()
DAYS = [date(2000, 11, 20) + timedelta(days=number) for number in range(5)]
SECONDS = 600


def blocks(heading):
    """Return the shell commands of a section of the page, a list for each block."""
    section = re.split(rf"^#+ {heading}$", PAGE, flags=re.MULTILINE)[1].partition("\n#")[0]
    return [block.splitlines() for block in re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)]


def value_of(line):
    """Return the name and the value that a line exports."""
    name, value = shlex.split(line.removeprefix("export "))[0].split("=", 1)
    return name, value


class Reader:
    """A reader's machine: what the page calls by the names of an example has addresses here."""

    def __init__(self, folder, services, airflow_port):
        self.folder = folder
        postgres, valkey, _ = services
        self.names = {
            "airflow.example.com:8080": f"{LOOPBACK}:{airflow_port}",
            "--port 8080": f"--port {airflow_port}",
            "db.example.com:5432": f"{LOOPBACK}:{postgres.port}",
            "broker.example.com:6379": f"{LOOPBACK}:{valkey.port}",
            "DB-PASSWORD": postgres.password,
            "BROKER-PASSWORD": valkey.password,
            "s3://aws_default@lake": "s3://aws_default@movielens",
            "/opt/airflow/dags": str(folder / "dags"),
            "/etc/airflow": str(folder),
        }
        self.environment = base_environment() | {
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__API__HOST": LOOPBACK,
            "TMPDIR": str(folder),
        }

    def here(self, line):
        """Return a line of the page with the names of this machine."""
        for name, value in self.names.items():
            line = line.replace(name, value)
        return line

    def export(self, lines):
        """Take over the settings of a block."""
        self.environment |= dict(value_of(self.here(line)) for line in lines)

    def run(self, line):
        """Run a command to its end and return its output."""
        done = subprocess.run(
            ["bash", "-c", self.here(line)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self, line, **variables):
        """Start a component with a command, as a service would."""
        name = line.partition("celery@")[2].partition(" ")[0] or line.split()[1]
        command = [str(Path(sys.executable).with_name("airflow")), *shlex.split(self.here(line))[1:]]
        if "celery worker" in line:
            command += ["--pid", str(self.folder / f"{name}.pid")]
        environment = self.environment | variables
        return Component(name, command, environment, self.folder, self.folder / f"{name}.log")


@pytest.fixture
def reader(tmp_path):
    with ExitStack() as stack:
        ports = [choose_port(None, stack) for _ in range(4)]
        services = [
            kind(tmp_path / kind.name, port, "a-secret")
            for kind, port in zip((Postgres, Valkey, S3), ports, strict=False)
        ]
        for service in services:
            stack.enter_context(running(service))
        services[2].create_bucket("movielens")
        yield Reader(tmp_path, services, ports[3]), services


@pytest.mark.long
def test_the_page_leads_to_a_running_airflow_that_runs_the_partitioned_dags(reader, api):
    machine, services = reader
    folder = machine.folder
    secrets_block, settings = blocks("Settings")
    secrets = [machine.run(line.replace("python", sys.executable, 1)) for line in secrets_block]
    assert len(set(secrets)) == 3
    machine.names |= dict(zip(("FIRST-SECRET", "SECOND-SECRET", "THIRD-SECRET"), secrets, strict=True))
    machine.export(settings)
    (backend,) = blocks("Secrets")
    machine.export(backend)
    shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    connection = {"conn_type": "movielens", "host": LOOPBACK, "port": api.port, "login": api.user}
    connections = {"movielens": connection | {"password": api.password}, "aws_default": services[2].connection}
    (folder / "connections.yaml").write_text(json.dumps(connections))  # JSON is YAML
    root = machine.environment["AIRFLOW__MOVIELENS__DATA_ROOT"]
    machine.environment |= {"MOVIELENS_DATA_DIR": root, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}

    record = SessionRecord(folder / "components", folder)
    watch = Watch(Interruption(), SECONDS)
    (lines,) = blocks("Start")
    with Guardian(record):
        try:
            for line in lines:
                if line.startswith("airflow db"):
                    machine.run(line.replace("airflow", f"{sys.executable} -m airflow", 1))
                elif line.startswith("curl"):
                    watch.until("health", lambda line=line: is_healthy(machine, line))
                else:
                    watch.components.append(machine.start(line))
                    record.add(watch.components[-1].session)
            _, backfill = blocks("Celery on this machine")
            watch.until("the Dags", lambda: "06_trailing" in cli(machine, "airflow dags list --output plain"))
            for line in backfill[1:]:
                cli(machine, line)
            watch.until("the rankings of all days", lambda: are_ranked(services[2], f"{root}/06_partitioned"))
        finally:
            stop(watch.components)
    workers = [(folder / f"worker-{number}.log").read_text() for number in (1, 2)]
    assert all("succeeded in" in log for log in workers)
    logs = "".join(file.read_text(errors="replace") for file in folder.glob("*.log"))
    assert api.password not in logs


def cli(machine, line):
    return machine.run(line.replace("airflow", f"{sys.executable} -m airflow", 1))


def is_healthy(machine, line):
    done = subprocess.run(
        ["bash", "-c", machine.here(line)], env=machine.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return False
    components = json.loads(done.stdout)
    return all(components[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "triggerer"))


def are_ranked(s3, root):
    # Not with Airflow's path: it would keep the connection of another stack that this process has used.
    bucket, _, folder = root.partition("@")[2].partition("/")
    objects = s3.client().list_objects_v2(Bucket=bucket, Prefix=f"{folder}/trailing/bayesian/").get("Contents", [])
    return {f"{day}.csv" for day in DAYS} <= {found["Key"].rpartition("/")[2] for found in objects}
