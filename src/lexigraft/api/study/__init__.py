"""What comparisons and transfer studies share."""
