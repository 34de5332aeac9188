"""EASE by irspack: ``python irspack_ease.py LIKES LAMBDA MATRIX`` reads likes (.npz), writes the item matrix (.npy)."""

from __future__ import annotations

import sys

import numpy as np
from scipy.sparse import load_npz


def main(likes, regularisation, matrix):
    # Only in an environment of its own.
    from irspack import DenseSLIMRecommender

    recommender = DenseSLIMRecommender(load_npz(likes), reg=float(regularisation)).learn()
    np.save(matrix, recommender.W)


if __name__ == "__main__":
    main(*sys.argv[1:])
