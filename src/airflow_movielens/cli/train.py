"""``movielens train``: a model from files of ratings."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.cli.exit_status import UsageError
from airflow_movielens.cli.models import who

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow_movielens.recommending import Model
    from airflow_movielens.recommending.data_checks import Finding


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "train a model that recommends movies"
    parser = commands.add_parser("train", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument(
        "--input-path",
        required=True,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="files, URLs or globs of either, with the ratings",
    )
    targets = parser.add_mutually_exclusive_group(required=True)
    targets.add_argument("--output-path", metavar="PATH", help="local file to write the model to, such as model.npz")
    targets.add_argument("--registry", metavar="FOLDER", help="registry in which the model becomes the challenger")
    parser.add_argument("--by", metavar="NAME", help="with --registry: who, for the history (default: user@host)")
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped="nothing was written")


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that trains."""
    from airflow_movielens.ratings.paths import local_path
    from airflow_movielens.recommending.registry import ModelRegistry
    from airflow_movielens.storage.inputs import input_files

    if options.by and not options.registry:
        raise UsageError("give --by only with --registry: a file has no history")
    registry = ModelRegistry(options.registry) if options.registry else None
    by = who(options.by) if registry else ""
    output = local_path(options.output_path) if options.output_path else None
    if registry is None and (output is None or output.is_dir()):
        raise UsageError(f"the output {options.output_path} is no local file: give the path of one, such as model.npz")
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        files = input_files(options.input_path, output=options.output_path)

    def run() -> None:
        from airflow_movielens.storage.train import check_ratings_for, train_files

        check = partial(check_ratings_for, registry, report=_report) if registry else None
        with redirect_stdout(sys.stderr):
            model, _ = train_files(files, None, check)
        if registry is not None:
            version = registry.register(model, by=by, reason=_summary(model))
            print(f"{_summary(model)}, registered as {version}")
        elif output is not None:
            model.save(output)
            print(f"{_summary(model)}, saved in {output}")

    return run


def _report(finding: Finding) -> None:
    if finding.level != "ok":
        print(f"movielens train: {finding}", file=sys.stderr)


def _summary(model: Model) -> str:
    trained_on = model.trained_on
    return f"{len(model.catalogue.movies):,} movies, by {trained_on.ratings:,} ratings of {trained_on.users:,} users"
