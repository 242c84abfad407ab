"""The report of a transfer study."""
