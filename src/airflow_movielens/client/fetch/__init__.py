"""A whole window of ratings into a file, exactly, and going on where a killed attempt stopped."""
