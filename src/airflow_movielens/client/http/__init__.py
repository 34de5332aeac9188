"""One request and its answer: the session, time limits, rate_limit, retries."""
