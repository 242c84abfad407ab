"""The report of a benchmark: its leaderboard."""
