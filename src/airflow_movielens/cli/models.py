"""``movielens models``: list the models of a registry, promote one, or roll back."""

from __future__ import annotations

import getpass
import socket
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens.cli.exit_status import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from airflow_movielens.recommending.registry import Event, ModelRegistry

_DONE = {"register": "registered", "promote": "promoted", "refuse": "refused", "rollback": "restored"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "list the models of a registry, promote one, or roll back"
    parser = commands.add_parser("models", help=summary, description=f"{summary.capitalize()}.")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    _add(actions, "list", "list the models, the last one first", prepare_list)
    promote = _add(actions, "promote", "make a model the champion", prepare_promote)
    promote.add_argument("model", metavar="MODEL", help="version, or challenger, or previous")
    rollback = _add(actions, "rollback", "make the previous champion the champion again", prepare_rollback)
    for each in (promote, rollback):
        each.add_argument("--reason", required=True, metavar="TEXT", help="why, for the history")
        each.add_argument("--by", metavar="NAME", help="who, for the history (default: user@host)")


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, prepare: Callable[..., Any]
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument("--registry", required=True, metavar="FOLDER", help="folder of the registry")
    parser.add_argument("--debug", action="store_true", help="print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped="run the same command again")
    return parser


def prepare_list(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that lists models."""
    registry = _registry(options)

    def run() -> None:
        import polars as pl

        from airflow_movielens.cli.tables import print_table

        rows = _rows(registry)
        if not rows:
            print(f"the registry {registry.folder} has no models")
            return
        print_table(pl.DataFrame(rows), f"Models in {registry.folder}", unwrapped=["version"])

    return run


def prepare_promote(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that promotes a model."""
    registry, by = _registry(options), who(options.by)

    def run() -> None:
        with _clear_lookups():
            registry.promote(options.model, by=by, reason=options.reason)
        _print_champion(registry)

    return run


def prepare_rollback(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that rolls back."""
    registry, by = _registry(options), who(options.by)

    def run() -> None:
        with _clear_lookups():
            registry.rollback(by=by, reason=options.reason)
        _print_champion(registry)

    return run


def _registry(options: argparse.Namespace) -> ModelRegistry:
    from airflow_movielens.recommending.registry import ModelRegistry

    return ModelRegistry(options.registry)


def who(given: str | None) -> str:
    """Return who does something, for the history: the given name, or the user of this process.

    Raises:
        UsageError: The system does not know the name of the user.
    """
    if given is not None:
        return given
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        raise UsageError("the system has no name for this user: give --by") from None


@contextmanager
def _clear_lookups() -> Iterator[None]:
    """Report a model that is not there in one line."""
    try:
        yield
    except LookupError as error:
        raise ValueError(str(error)) from error


def _print_champion(registry: ModelRegistry) -> None:
    aliases = registry.aliases()
    before = f"; the previous one is {aliases.previous}" if aliases.previous else ""
    print(f"{aliases.champion} is the champion{before}")


def _rows(registry: ModelRegistry) -> list[dict[str, str]]:
    """Return a row for each model, the last one first."""
    aliases = asdict(registry.aliases())
    events = registry.history()
    return [
        {
            "alias": ", ".join(alias for alias, named in aliases.items() if named == version),
            "version": version,
            "trained on": _training(header),
            **_decision([event for event in events if event.model == version]),
        }
        for version, header in reversed(registry.models())
    ]


def _training(header: Mapping[str, Any]) -> str:
    if not header:
        return "the file is missing or damaged"
    facts = header["trained_on"]
    last = datetime.fromtimestamp(facts["last_timestamp"], UTC)
    return f"{facts['ratings']:,} ratings until {last:%Y-%m-%d}"


def _decision(events: list[Event]) -> dict[str, str]:
    """Return what was last done with a model, and the last figures."""
    last = events[-1]
    figures = next((event.figures for event in reversed(events) if event.figures), {})
    return {
        "last decision": f"{_DONE[last.action]} {last.at[:16].replace('T', ' ')} by {last.by}",
        "figures": _shown(figures),
        "reason": last.reason,
    }


def _shown(figures: Mapping[str, Any]) -> str:
    """Return the figures of the gate; see `airflow_movielens.recommending.gate.Decision`."""
    try:
        found = [f"NDCG@10 {figures['ndcg']['challenger']:.3f} of {figures['users']:,} users"]
        for name in ("trending", "champion"):
            if name in figures:
                found.append(f"{name} {100 * figures[name]['relative']:+.1f} %")
    except (LookupError, TypeError, ValueError):  # of too few users, or not those of the gate
        return ", ".join(f"{name} {value}" for name, value in figures.items() if not isinstance(value, dict))
    return ", ".join(found)
