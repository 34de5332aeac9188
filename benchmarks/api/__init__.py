"""The Ratings API beside FastAPI with SQLAlchemy, datasette and nginx: `make bench-api`."""
