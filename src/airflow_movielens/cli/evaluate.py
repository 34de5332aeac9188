"""``movielens evaluate``: how good a model's recommendations are, compared with its predecessor and baselines."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_movielens.cli.exit_status import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow_movielens.recommending.evaluation import Evaluation


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "evaluate the recommendations of a model"
    parser = commands.add_parser("evaluate", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument(
        "--input-path",
        required=True,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="files, URLs or globs of either, with the ratings that the model was trained on, and later ones if any",
    )
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--model", metavar="PATH", help="local file that Model.save wrote")
    models.add_argument("--registry", metavar="FOLDER", help="registry whose challenger is compared with its champion")
    parser.add_argument("--champion", metavar="PATH", help="with --model: local file of a model to compare with")
    parser.add_argument(
        "--cut",
        action="append",
        metavar="TIME",
        help="day or time (UTC) before which the model knows ratings; may be repeated (default: three, by the ratings)",
    )
    parser.add_argument("--output-path", required=True, metavar="FOLDER", help="folder for the report and its figures")
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped="nothing was written")


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that evaluates."""
    from airflow_movielens.storage.evaluate import report_folder, second_of
    from airflow_movielens.storage.inputs import input_files

    if options.champion and not options.model:
        raise UsageError("give --champion only with --model: a registry has a champion of its own")
    models = _models(options)
    cuts = [second_of(text) for text in options.cut] if options.cut else None
    folder = report_folder(options.output_path)
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        files = input_files(options.input_path)

    def run() -> None:
        from airflow_movielens.recommending.evaluation.result import REPORT_NAME
        from airflow_movielens.storage.evaluate import evaluate_files

        with redirect_stdout(sys.stderr):
            evaluation, _ = evaluate_files(files, models, cuts)
        evaluation.save(folder)
        _show(evaluation)
        print(f"Report: {folder / REPORT_NAME}")

    return run


def _models(options: argparse.Namespace) -> dict[str, Path]:
    from airflow_movielens.recommending.registry import ModelRegistry
    from airflow_movielens.storage.evaluate import models_to_evaluate

    if options.model:
        return {"challenger": Path(options.model)} | ({"champion": Path(options.champion)} if options.champion else {})
    try:
        return models_to_evaluate(ModelRegistry(options.registry))
    except LookupError as error:
        raise UsageError(str(error)) from error


def _show(evaluation: Evaluation) -> None:
    import polars as pl

    from airflow_movielens.cli.tables import print_table
    from airflow_movielens.recommending.evaluation.report import sentence_of
    from airflow_movielens.recommending.evaluation.sections import NAMES

    figures = pl.DataFrame(evaluation.gate_users)
    latest = evaluation.new_users[-1]["figures"]
    rows = [(NAMES[name], figures[name].mean(), latest[name]["coverage"]) for name in evaluation.recommenders]
    schema = {"recommender": pl.String, "NDCG@10": pl.Float64, "different movies": pl.Int64}
    users = f"{len(figures):,} new users, {len(evaluation.cuts)} cuts"
    print_table(pl.DataFrame(rows, schema, orient="row").sort("NDCG@10", descending=True), users)
    comparisons = evaluation.comparisons()
    for name in ("trending", "champion"):
        if name in comparisons:
            print(sentence_of(comparisons[name], name))
