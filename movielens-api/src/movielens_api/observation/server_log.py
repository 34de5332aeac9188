"""The server log: plain lines on standard error, with a stack trace where the server is at fault."""

import logging
import time


def configure() -> None:
    """Send warnings and errors of this process to standard error, with the time in UTC."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
