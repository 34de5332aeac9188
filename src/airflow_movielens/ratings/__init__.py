"""What a rating is, and its files. Knows neither Airflow nor HTTP."""
