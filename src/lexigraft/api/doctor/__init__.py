"""Checks of the machine, a recipe and a tracking store before a comparison runs (`lexigraft doctor`)."""
