"""What tasks read and wrote.

- ``datasets``: the tables and files of an operator.
- ``hook``: the API as an input of a task that uses the hook.
- ``openlineage``: the datasets of an operator as OpenLineage facets.
"""
