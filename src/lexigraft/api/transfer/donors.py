"""Donor languages for a target, ranked by typology, and by texts where a folder of them is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus
from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from lexigraft.core.data.typology.database import Typology
    from lexigraft.core.data.typology.languages import Language
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.transfer.donor_ranking import DonorEvidence, DonorRanking, RankedDonor

_TEXTS = frozenset((".txt", ".jsonl", ".ndjson", ".json", ".csv", ".parquet"))


@dataclass(frozen=True)
class DonorsResult:
    """Ranked donors.

    Attributes:
        ranking: The donors with their evidence.
        notes: Sentences worth showing.
    """

    ranking: DonorRanking
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "target": asdict(self.ranking.target),
            "kinds": list(self.ranking.kinds),
            "tied": self.ranking.tied,
            "donors": [_as_json(donor) for donor in self.ranking.donors],
            "notes": list(self.notes),
        }


def donors(
    language: str,
    typology: str | Path,
    *,
    have: str | Path | None = None,
    candidates: Sequence[str] = (),
    tokenizer: str | None = None,
    text_field: str = "text",
) -> DonorsResult:
    """Rank donor languages for a target language.

    Args:
        language: The target: ISO 639-3, ISO 639-1, glottocode or name.
        typology: A folder of typological data.
        have: A folder of texts, each a file or folder named by its language (``spa.txt``, ``quy_Latn.txt.gz``). Its
            languages are the candidates; the target's own text, if it is there, gives overlaps.
        candidates: Languages to rank; by default those of ``have``, or those with an ISO 639-1 code, which stand for
            languages with much text.
        tokenizer: A tokenizer for overlaps; without one whole words are compared.
        text_field: The field of JSON lines or the column of Parquet that holds the text.

    Raises:
        LexigraftError: An unknown or ambiguous language, a language without text or typology, or a donor that is the
            target.
    """
    from lexigraft.core.data.typology.database import load_typology
    from lexigraft.core.transfer.donor_ranking import rank_donors

    if tokenizer is not None and have is None:
        raise LexigraftError("a tokenizer is for overlaps of texts", tokenizer, "Give --have FOLDER too")
    data = load_typology(typology)
    target = data.find(language)
    texts, notes = ({}, []) if have is None else _texts(data, Path(have).expanduser(), text_field)
    asked = [data.find(one) for one in candidates]
    if not asked:
        asked = [one for one in texts if one.code != target.code] if have is not None else _with_much_text(data, target)
    if have is not None and target not in texts:
        notes.append(f"The folder has no text of {target}: no overlap.")
    if missing := [str(one) for one in asked if texts and one not in texts]:
        notes.append(f"The folder has no text of {', '.join(missing)}.")
    vocabulary = None
    if tokenizer is not None:
        from lexigraft.core.tokenization.files.loading import load_vocabulary

        vocabulary = load_vocabulary(tokenizer)
    unique = list(dict.fromkeys(asked))
    evidence = _evidence(data, target, unique, texts, vocabulary)
    if target in texts and unique:
        notes.append(
            f"Overlaps are of {'words' if vocabulary is None else 'tokens'}, with donors' texts cut to the size of the "
            "smallest."
        )
    ranking = rank_donors(target, evidence)
    return DonorsResult(ranking, (*notes, *ranking.notes))


def _texts(data: Typology, folder: Path, text_field: str) -> tuple[dict[Language, Corpus], list[str]]:
    """The text of each language in a folder, and what was left out."""
    if not folder.is_dir():
        raise LexigraftError("folder of texts not found", folder, "Give --have FOLDER with files such as spa.txt")
    files: dict[Language, list[Path]] = {}
    left: list[str] = []
    for path in sorted(folder.iterdir()):
        kinds = {suffix.lower() for suffix in path.suffixes[-2:]}
        if path.name.startswith(".") or not (path.is_dir() or kinds & _TEXTS):
            continue
        try:
            files.setdefault(data.find(path.name.partition(".")[0]), []).append(path)
        except LexigraftError as error:
            left.append(f"{path.name} was left out: {error}")
    if not files:
        hint = "Name files by their language: spa.txt, quy_Latn.txt.gz"
        raise LexigraftError("folder has no text that is named by a language", folder, "; ".join([*left[:3], hint]))
    return {language: load_corpus(paths, text_field=text_field) for language, paths in files.items()}, left


def _with_much_text(data: Typology, target: Language) -> list[Language]:
    codes = sorted(set(data.uriel.two_letters.values()) & data.languages.names.keys() - {target.code})
    if not codes:
        hint = "Give --candidate LANGUAGE or --have FOLDER (letter_codes.json, from which they are taken, is missing)"
        raise LexigraftError("there is no list of languages with much text", hint=hint)
    return [data.find(code) for code in codes]


def _evidence(
    data: Typology,
    target: Language,
    asked: Sequence[Language],
    texts: Mapping[Language, Corpus],
    vocabulary: Vocabulary | None,
) -> list[DonorEvidence]:
    from lexigraft.core.data.ngram_overlap import find_copied_text
    from lexigraft.core.transfer.donor_ranking import DonorEvidence
    from lexigraft.core.transfer.token_overlap import token_overlap

    own = texts.get(target)
    smallest = min((texts[one].bytes for one in asked if one in texts), default=0)
    found = []
    for one in asked:
        distances, text = data.distances(target, one), texts.get(one)
        if text is None:
            found.append(DonorEvidence(one, distances))
        elif own is None:
            found.append(DonorEvidence(one, distances, bytes=text.bytes))
        else:
            equal = evenly_chosen(text, max(1, len(text) * smallest // max(1, text.bytes)))
            shared = token_overlap(equal.lines, own.lines, vocabulary)
            copied = find_copied_text(own.lines, text.lines).share
            found.append(DonorEvidence(one, distances, shared, text.bytes, copied))
    return found


def _as_json(donor: RankedDonor) -> dict[str, Any]:
    evidence = donor.evidence
    return {
        **asdict(evidence.language),
        "mean_rank": donor.rank.mean,
        "interval": [donor.rank.low, donor.rank.high],
        "missing": list(donor.missing),
        "distances": {kind: distance.as_json() for kind, distance in evidence.distances.items()},
        "overlap": None if evidence.overlap is None else evidence.overlap.as_json(),
        "bytes": evidence.bytes,
        "copied_share": evidence.copied_share,
    }
