"""The MovieLens page in Airflow's UI, with three years of data: `make bench-page`.

- ``root``: the generated data root, of which ``days`` and ``models`` are the parts; ``size``: how large it is.
- ``airflow``: a real API server; ``object_storage``: a real server of S3, and the upload of the data root.
- ``views``: what is opened; ``browser``: how long that takes in Chromium.
- ``rounds``, ``report``: the measurements, and what they say.
"""
