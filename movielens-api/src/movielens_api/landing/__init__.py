"""The page at `/`: what is loaded, ratings per year, and calls to copy. No script or style from anywhere else."""
