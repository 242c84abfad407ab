"""Exact match and F1 of answers by the SQuAD metrics of transformers 4."""

from __future__ import annotations

import json
import sys

from transformers.data.metrics.squad_metrics import compute_exact, compute_f1, normalize_answer

pairs = json.loads(sys.argv[1])["pairs"]
print(
    json.dumps(
        {
            "normalized": [normalize_answer(answer) for answer, _ in pairs],
            "exact": [
                max(compute_exact(reference, answer) for reference in references) for answer, references in pairs
            ],
            "f1": [max(compute_f1(reference, answer) for reference in references) for answer, references in pairs],
        }
    )
)
