"""Runs inside wechsel's environment: WECHSEL() on two tokenizers, a source table, fastText files and word pairs."""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import fasttext
import numpy as np
import wechsel
from transformers import PreTrainedTokenizerFast
from wechsel import WECHSEL


def leave_out_special_tokens() -> None:
    """Treat special tokens as if they had no vector, and fastText's line end as if it were no word."""
    vectors, words = wechsel.get_subword_embeddings_in_word_embedding_space, wechsel.WordEmbedding.get_words_and_freqs

    def without_specials(tokenizer, *arguments, **options):
        found, sources = vectors(tokenizer, *arguments, **options)
        found[tokenizer.all_special_ids] = 0
        return found, sources

    def without_line_end(model):
        pairs = [(w, n) for w, n in zip(*words(model), strict=True) if w != "</s>"]
        return [w for w, _ in pairs], [n for _, n in pairs]

    wechsel.get_subword_embeddings_in_word_embedding_space = without_specials
    wechsel.WordEmbedding.get_words_and_freqs = without_line_end


def rotate_in_double_precision() -> None:
    """Its rotation is computed in float32, which the small singular values of real vectors make wrong by some 1e-3."""
    rotation = wechsel.orthogonal_procrustes
    wechsel.orthogonal_procrustes = lambda x, y: rotation(x.astype(np.float64), y.astype(np.float64))


def main(request: dict[str, object]) -> dict[str, object]:
    """Write the rows, the ids of randomly drawn ones, and for each row the cosines of its eleven nearest tokens."""
    if not request.get("untouched", False):
        rotate_in_double_precision()
        leave_out_special_tokens()
    source, target = (PreTrainedTokenizerFast.from_pretrained(request[side]) for side in ("source", "target"))
    models = [fasttext.load_model(request[side]) for side in ("source_vectors", "target_vectors")]
    try:
        initialiser = WECHSEL(*models, bilingual_dictionary=request["dictionary"])
    except ValueError as error:
        return {"error": str(error)}
    table = np.load(request["table"])
    options = {"use_subword_info": request["ngrams"]}
    rows, info = initialiser.apply(source, target, table, **options)
    eleven = initialiser.apply(source, target, table, neighbors=11, **options)[1].sources
    cosines = np.full((len(target), 11), np.nan)
    ids = np.full((len(target), 10), -1)
    for token, (_, _, found) in eleven.items():
        cosines[target.convert_tokens_to_ids(token)] = found
    for token, (tokens, _, _) in info.sources.items():
        ids[target.convert_tokens_to_ids(token)] = source.convert_tokens_to_ids(list(tokens))
    random = np.sort(target.convert_tokens_to_ids(info.not_found))
    np.savez(request["out"], rows=rows, random=random, cosines=cosines, neighbours=ids)
    return {"random": len(random)}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
