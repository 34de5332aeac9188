"""`make bench-celery`: a month's backfill on one and two of Celery's workers, and the loss of a worker.

- `__main__`: the run and its report.
- `cluster`: a stack whose workers can be stopped, killed and started.
- `backfill`: a backfill of a Dag of `dags/`, from its creation until its last run.
- `loss`: a worker that is killed in the middle of a fetch.
"""
