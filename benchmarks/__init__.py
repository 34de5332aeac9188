"""Measurements of this project and of alternatives, in one run on one machine."""
