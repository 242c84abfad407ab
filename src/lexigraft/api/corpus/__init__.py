"""Corpora of annotated text: from Wikipedia dumps, from text and a dictionary; and a look at them."""
