"""Linear heads of evaluators: the sequences of words, texts and questions that they read, their loss, and a probe."""
