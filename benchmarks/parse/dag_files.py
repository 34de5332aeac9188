"""Dag files in two forms: with our operators, and with plain operators that only store their arguments."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import BaseOperator

DAGS = Path("dags")
PLAIN = "plain_operators"
TASKS = 20

_TWENTY = f'''
"""{TASKS} tasks."""
from datetime import datetime
from airflow.sdk import DAG
from airflow_movielens.operators import MovielensFetchRatingsOperator

with DAG(dag_id="twenty", start_date=datetime(2000, 1, 1), schedule="@daily") as dag:
    for number in range({TASKS}):
        MovielensFetchRatingsOperator(
            task_id=f"fetch_{{number}}",
            conn_id="movielens",
            start_date="{{{{ ds }}}}",
            end_date="{{{{ macros.ds_add(ds, 1) }}}}",
            output_path=f"/data/{{number}}.json",
        )
'''
_PLAIN_CLASS = """
class {name}({base}):
    template_fields = {fields}

    def __init__(self, *, {arguments}, **kwargs):
        super().__init__(**kwargs)
{stores}
"""


@dataclass(frozen=True)
class DagFile:
    """One Dag file in both forms.

    Attributes:
        name: Its name in the report.
        ours: The file with our operators.
        plain: The file with plain operators, whose classes and arguments have the same names.
    """

    name: str
    ours: Path
    plain: Path


def write_dag_files(folder: Path) -> list[DagFile]:
    """Write both forms of a file with 20 tasks and of our own Dags, and the plain operators.

    This imports our operators, so run it in another process: a fork of this one would not import them again.
    """
    (folder / f"{PLAIN}.py").write_text(_plain_operators(), encoding="utf-8")
    sources = {f"{TASKS} tasks": _TWENTY}
    sources |= {path.name: path.read_text("utf-8") for path in sorted(DAGS.glob("*.py"))}
    uses = {name: source for name, source in sources.items() if "Movielens" in source and "MovielensHook" not in source}
    return [_write(folder, name, source) for name, source in uses.items()]


def _write(folder: Path, name: str, source: str) -> DagFile:
    stem = re.sub(r"\W", "_", name.removesuffix(".py"))
    file = DagFile(name, folder / f"{stem}_ours.py", folder / f"{stem}_plain.py")
    file.ours.write_text(source, encoding="utf-8")
    plain = re.sub(r"from airflow_movielens\.(operators|sensors) import", f"from {PLAIN} import", source)
    file.plain.write_text(plain, encoding="utf-8")
    return file


def _plain_operators() -> str:
    from airflow_movielens import operators, sensors

    ours = [getattr(operators, name) for name in operators.__all__] + [sensors.MovielensRatingsSensor]
    # Defaults are written as Python shows them, such as datetime.timedelta(days=1).
    return "import datetime\nfrom airflow.sdk import BaseOperator, BaseSensorOperator\n" + "".join(
        map(_plain_class, ours)
    )


def _plain_class(ours: type[BaseOperator]) -> str:
    from airflow.sdk import BaseSensorOperator

    base = "BaseSensorOperator" if issubclass(ours, BaseSensorOperator) else "BaseOperator"
    arguments = list(_arguments(ours))
    return _PLAIN_CLASS.format(
        name=ours.__name__,
        base=base,
        fields=tuple(ours.template_fields),
        arguments=", ".join(f"{name}={default!r}" for name, default in arguments),
        stores="\n".join(f"        self.{_attribute(ours, name)} = {name}" for name, _ in arguments),
    )


def _arguments(ours: type[BaseOperator]) -> Iterator[tuple[str, object]]:
    for argument in inspect.signature(ours).parameters.values():
        if argument.kind is argument.KEYWORD_ONLY:
            yield argument.name, None if argument.default is argument.empty else argument.default


def _attribute(ours: type[BaseOperator], argument: str) -> str:
    return f"_{argument}" if f"_{argument}" in ours.template_fields else argument
