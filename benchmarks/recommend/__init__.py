"""Recommendations compared with irspack and implicit: `make bench-recommend`."""
