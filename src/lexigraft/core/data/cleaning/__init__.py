"""Filters and figures of training text."""
