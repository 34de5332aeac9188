"""Entry point of ``python -m movielens_api``."""

from __future__ import annotations

import sys

from movielens_api.cli import main

sys.exit(main())
