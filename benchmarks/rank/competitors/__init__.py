"""The competitors: programs that rank a file, in several environments, and measure themselves.

Each takes the file of ratings and the CSV file to write, with movieId, num_ratings and avg_rating.
"""
