"""The local stack of `make demo` and `make up`: the ratings API and a real Airflow, all inside this checkout.

- `__main__`: the two commands, step by step.
- `stack`: the start, the health and the end of movielens-api, Airflow's processes and the services that they need.
- `services`: PostgreSQL, Valkey and S3, for Celery's workers and their files.
- `processes`: one process and all that it starts, and what ends them if the stack is killed; `watch`: waiting while
  they run.
- `configuration`, `layout`, `ports`: the settings and secrets, the folders, the ports of a stack.
- `airflow_api`, `pipeline`: calls to Airflow's REST API, and the demo's backfill and ranking through it.
- `recommendations`: the run that trains, judges and recommends, and what two people are recommended.
- `report`: the output for the user; `errors`: what can go wrong.
- `screenshots`: the pictures of the MovieLens page in the docs.
"""
