"""Print, in the last line, the Dags and the import errors of a folder, as Airflow finds them."""

import json
import sys

from airflow.dag_processing.dagbag import DagBag

found = DagBag(sys.argv[1])
print(json.dumps({"dags": sorted(found.dags), "errors": found.import_errors}))
