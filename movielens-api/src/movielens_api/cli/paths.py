"""Paths in options: what a shell would have expanded is expanded, and what cannot be a path here is refused."""

import argparse
import re
from pathlib import Path

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|file:", re.ASCII)
VARIABLE = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_]+%", re.ASCII)


def path(text: str) -> str:
    """Return the path that an option names, with `~` expanded: no shell does that in `--data-dir=~/data`.

    Raises:
        argparse.ArgumentTypeError: the text is empty, a URL or has a NUL; it begins with a variable or with the home of
            a user who does not exist.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty: leave the option out, or give a path")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} has a NUL, which no path can have")
    if URL.match(text):
        raise argparse.ArgumentTypeError(f"{_without_password(text)!r} is a URL: give a path on this machine")
    if VARIABLE.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} begins with a variable that no shell has replaced")
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
