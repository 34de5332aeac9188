"""The argument parser: every argument is used, or is an error."""

from __future__ import annotations

import argparse
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser whose options take one non-empty value; ``argparse`` silently keeps the last of several."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register("action", None, _StoreOnce)


class _StoreOnce(argparse.Action):
    _typed: Any = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        # An unset shell variable gives ''; before Python 3.13, argparse turns '--' into an empty list.
        if values in ("", []):
            parser.error(f"argument {option}: expected a value, found an empty one")
        if self._typed not in (None, values):
            # Without the values: they may hold a password.
            parser.error(f"argument {option}: given twice, with different values")
        self._typed = values
        setattr(namespace, self.dest, values)
