"""`python -m airflow_movielens`."""

from __future__ import annotations

import sys

from airflow_movielens.cli import main

sys.exit(main())
