"""What scoring words from left to right costs, beside scoring them whole, on Quechua with a real masked model.

    OMP_NUM_THREADS=1 LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/evaluation/within_word.py --lines 25

The model reads the same lines with its own tokenizer, and with one of 6,000 tokens trained on the other lines. The two
ways take turns in one process; times are processor time (of all threads), medians over the rounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from transformers import PreTrainedModel

from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import evenly_chosen, load_corpus, split
from lexigraft.core.grafting.pipeline import graft_model, make_chain
from lexigraft.core.models.loading import load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from measure import asked, machine
from parity.sentencepiece_pairs import DATA

MODELS = Path(os.environ.get("LEXIGRAFT_MODELS", DATA.parent / "models"))
WHOLE, LEFT_TO_RIGHT = BitsPerByte(within_word="whole"), BitsPerByte()


def main() -> int:
    """Print a Markdown table."""
    given = asked(__doc__, lines=25, rounds=3, train_lines=10_000)
    train, heldout = split(load_corpus([DATA / "quechua" / "qubert.txt.gz"]), 0.1, 0)
    lines = evenly_chosen(heldout, given.lines).lines
    source = str(MODELS / "minilm-mlm-en")
    settings = TokenizerSettings(type="unigram", size=6000, lowercase=True)
    target = Vocabulary.of(train_tokenizer(settings, evenly_chosen(train, given.train_lines)))
    models = {
        "its own, 30,522 tokens": (load_model(source), load_vocabulary(source)),
        "6,000 tokens": (graft_model(source, target, make_chain([("subword_mean", {})]), {}).model, target),
    }
    print(f"{machine()}; {len(lines)} lines, {given.rounds} rounds\n")
    print("| tokenizer | tokens per word | inputs, whole | left to right | whole | left to right | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, (model, vocabulary) in models.items():
        print(f"| {name} | {measured(model, vocabulary, lines, given.rounds)} |", flush=True)
    return 0


def measured(model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str], rounds: int) -> str:
    """Tokens per word, inputs that the model reads both ways, seconds both ways, and their ratio."""
    from lexigraft.core.evaluation.line_tokens import tokenize_lines

    read = tokenize_lines(vocabulary, lines)
    tokens, words = sum(len(line.ids) for line in read), sum(line.word_count for line in read)
    whole = sum(min(WHOLE.stripes, line.word_count) for line in read)
    spent = [
        [processor_seconds(way, model, vocabulary, lines) for way in (WHOLE, LEFT_TO_RIGHT)] for _ in range(rounds)
    ]
    ours, theirs = (statistics.median(times) for times in zip(*spent, strict=True))
    ratio = statistics.median(right / hidden for hidden, right in spent)
    return f"{tokens / words:.2f} | {whole} | {whole + tokens - words} | {ours:.2f} s | {theirs:.2f} s | {ratio:.1f}"


def processor_seconds(way: BitsPerByte, model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]) -> float:
    """Processor time of one measurement."""
    began = time.process_time()
    way.line_bits(model, vocabulary, lines)
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
