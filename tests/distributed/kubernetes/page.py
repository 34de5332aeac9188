"""The settings, the template of pods, the Dag and the command that docs/kubernetes.md shows."""

from __future__ import annotations

import re
import shlex

import yaml

from demo.layout import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


def block(language, number=0):
    """Return one of the page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)[number]


def settings(folder):
    """Return the variables that the page sets for the scheduler, with a folder of this machine."""
    lines = block("bash").replace("/opt/airflow", str(folder)).splitlines()
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


def template():
    """Return the template of pods."""
    return yaml.safe_load(block("yaml"))
