"""Statistics of scores: intervals, paired differences, ranks, power."""
