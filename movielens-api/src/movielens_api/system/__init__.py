"""What the operating system provides.

- ``locks``: locks between processes.
- ``directories``: the user's cache and data directories.
"""
