"""The ratings API compared with FastAPI with SQLAlchemy, datasette and nginx: `make bench-api`."""
