"""Benchmark suites: comparisons over languages, models or sizes, with one leaderboard."""
