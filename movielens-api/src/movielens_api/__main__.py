"""`python -m movielens_api`."""

import sys

from movielens_api.cli import main

sys.exit(main())
