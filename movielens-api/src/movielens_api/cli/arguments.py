"""The parser of the command line: what is typed is used, or is an error."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
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
            parser.error(f"argument {option}: the value is empty")
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


URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|file:", re.ASCII)
VARIABLE = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_]+%", re.ASCII)


def path(text: str) -> str:
    """Return the path that an option names, with `~` expanded: no shell does that in `--data-dir=~/data`.

    Raises:
        argparse.ArgumentTypeError: the text is empty, a URL or has a NUL; it begins with a variable or with the home of
            a user who does not exist.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty: omit the option or pass a path")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} contains a NUL, which no path can have")
    if URL.match(text):
        raise argparse.ArgumentTypeError(f"{_without_password(text)!r} is a URL: pass a path on this machine")
    if VARIABLE.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} starts with a variable that no shell has expanded")
    try:
        expanded = Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such home directory") from error
    if text.startswith("~") and not expanded.is_absolute():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such home directory")
    # Only a text that begins with ~ changes: "-" and "a//b" are what they were.
    return str(expanded) if text.startswith("~") else text


def folder(text: str) -> Path:
    """Return the path that an option names as a `Path`.

    Raises:
        argparse.ArgumentTypeError: as `path`.
    """
    return Path(path(text))


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
