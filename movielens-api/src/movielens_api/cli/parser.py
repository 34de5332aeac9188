"""The parser of the command line: what is typed is used, or is an error."""

import argparse
import re
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser whose options take one value that is not empty; `argparse` keeps the last of several."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register("action", None, _StoreOnce)


class _StoreOnce(argparse.Action):
    _typed: Any = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        # An unset variable of a shell gives ''; argparse itself makes an empty list of '--' before Python 3.13.
        if option and values in ("", []):
            parser.error(f"argument {option}: expected a value, found an empty one")
        if self._typed not in (None, values):
            # Without the values: one of the options is a password.
            parser.error(f"argument {option}: given twice, with different values")
        self._typed = values
        setattr(namespace, self.dest, values)


def digits(text: str) -> int:
    """Read a whole number: what int() reads, but no other digits, signs, spaces and underscores.

    Raises:
        argparse.ArgumentTypeError: the text is not a whole number.
    """
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def number(text: str) -> float:
    """Read a number.

    Raises:
        argparse.ArgumentTypeError: the text is not a number.
    """
    if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"expected a number such as 0.5, found {text!r}")
    return float(text)
