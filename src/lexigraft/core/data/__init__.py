"""Text: corpora, parallel text, dictionaries, and a made language with known translations."""
