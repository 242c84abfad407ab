"""Text: corpora, parallel text, dictionaries, and a synthetic language with known translations."""
