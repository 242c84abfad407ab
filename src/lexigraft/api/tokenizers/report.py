"""Tokenizers measured side by side on a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexigraft.core.data.aligned_lines import read_aligned
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.disk_model import read_header
from lexigraft.core.tokenization.measures.parity import measure_parity
from lexigraft.core.tokenization.measures.predicted_speed import predicted_speed
from lexigraft.core.tokenization.measures.segmentation_samples import segmentation_samples
from lexigraft.core.tokenization.measures.tokenizer_measures import TokenizerMeasures, measure_tokenizer
from lexigraft.core.tokenization.measures.tokenizer_report import TokenizerReport
from lexigraft.core.tokenization.measures.word_measures import SHARE_WITHOUT_SPACES, share_without_spaces
from lexigraft.core.utils.files import write_whole
from lexigraft.report.tokenizers import tokenizer_page

Paths = Sequence[str | Path]


SAMPLES = 6
SAMPLE_CHARACTERS = 300
"""Lines that the page shows, and how much of a long one."""


def report_tokenizers(
    tokenizers: Paths,
    corpus: Paths,
    *,
    parallel: Paths = (),
    model: str | None = None,
    html: str | Path | None = None,
) -> TokenizerReport:
    """Measure tokenizers on a text.

    Args:
        tokenizers: Folders, tokenizer files or Hub names; the first is what the others are compared with.
        corpus: Files of text.
        parallel: Files of the same content in several languages, line by line.
        model: Folder or Hub name of a model with a head, whose speed with each vocabulary is predicted.
        html: A page to write, with bars and how the tokenizers cut some lines; one of this name is replaced.

    Returns:
        The figures.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    if html is not None and not Path(html).absolute().parent.is_dir():
        raise LexigraftError("the page's folder does not exist", Path(html).parent, "Make it, or give another name")
    text = load_corpus(list(corpus))
    languages = read_aligned(parallel) if parallel else []
    header = None if model is None else read_header(model)
    vocabularies = {str(path): load_vocabulary(path) for path in tokenizers}
    measures = {name: measure_tokenizer(vocabulary, text.lines) for name, vocabulary in vocabularies.items()}
    first = next(iter(measures.values()))
    lengths = {name: one.tokens / first.tokens for name, one in measures.items()}
    speeds = (
        {}
        if header is None
        else {
            name: predicted_speed(lengths[name], first.size, one.size, header.hidden, header.body)
            for name, one in measures.items()
        }
    )
    report = TokenizerReport(
        lines=len(text),
        bytes=text.bytes,
        tokenizers=measures,
        lengths=lengths,
        context_gains={name: 1 / length for name, length in lengths.items()},
        speeds=speeds,
        parity={name: measure_parity(one, languages) for name, one in vocabularies.items() if languages},
        languages=tuple(map(str, parallel)),
        warnings=(*_spaces_warning(text.lines), *_mark_warnings(measures)),
    )
    if html is not None:
        samples = segmentation_samples(vocabularies, text, SAMPLES, SAMPLE_CHARACTERS)
        write_whole(Path(html), tokenizer_page(report, samples))
    return report


def _spaces_warning(lines: Sequence[str]) -> list[str]:
    share = share_without_spaces(lines)
    if share < SHARE_WITHOUT_SPACES:
        return []
    return [
        f"{share:.0%} of the letters belong to scripts without spaces between words: fertility, single-token words and "
        "continued words are undefined"
    ]


def _mark_warnings(measures: dict[str, TokenizerMeasures]) -> list[str]:
    return [
        f"{name}: its pre-tokenizer parts letters from their marks, so the text takes {one.pre_token_floor:,} tokens "
        f"or more; were marks kept, the floor would be {one.mark_aware_floor:,}"
        for name, one in measures.items()
        if one.mark_aware_floor is not None and one.mark_aware_floor < one.pre_token_floor
    ]
