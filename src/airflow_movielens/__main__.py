"""`python -m airflow_movielens`."""

import sys

from airflow_movielens.cli import main

sys.exit(main())
