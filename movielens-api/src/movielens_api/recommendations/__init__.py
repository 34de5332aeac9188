"""Recommendations by a model that others trained, without their packages.

- ``champion``: the model that is served, replaced when another one becomes the champion.
- ``registry``: the folder of models and of the events that say which one is the champion.
- ``artefacts``: models in files, checked and mapped into memory.
- ``model``: scores, similar movies and reasons.
- ``history``: the ratings of one user in time order.
"""
