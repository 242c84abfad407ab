"""Benchmark suites: records of results and leaderboards."""
