"""Yardsticks, one file each."""
