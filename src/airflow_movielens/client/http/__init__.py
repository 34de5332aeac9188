"""One request and its answer: the session, time limits, pace, retries."""
