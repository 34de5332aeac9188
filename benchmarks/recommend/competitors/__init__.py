"""The competitors: programs that fit a recommender, in several environments, and measure themselves.

``MODEL large FOLDER`` fits it once, recommends ten movies to one user at a time and to many at once, and prints what
that takes. ``MODEL sample FOLDER OUTPUT`` fits it with each of some parameters, and writes the movies that it
recommends to new users. ``ours choice FOLDER`` chooses parameters, and prints what that takes.
"""
