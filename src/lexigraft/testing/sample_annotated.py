"""Annotated sample documents in several scripts, which the laws of augmenters run on."""

from __future__ import annotations

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText

_NAMES = {
    "Qusqu": "Cusco", "Mama Qucha": "Pacific Ocean", "Titiqaqa": "Lake Titicaca", "Лондон": "London",
    "Москва": "Moscow", "القاهرة": "Cairo", "النيل": "Nile", "东京": "Tokyo", "富士山": "Mount Fuji",
    "दिल्ली": "Delhi", "गंगा": "Ganges", "Việt Nam": "Vietnam", "ภูเก็ต": "Phuket", "𐍅𐌿𐌻𐍆𐌹𐌻𐌰": "Wulfila",
}  # fmt: skip
_SENTENCES = (
    "Qusqu llaqtam hatun, Titiqaqa quchataq aswan hatun; Mama Qucha karupi.",
    "Ñan Qusqu llaqtamanta Titiqaqa quchakama rin.",
    "Лондон и Москва — большие города; Москва стоит на реке.",
    "تقع القاهرة على نهر النيل، والقاهرة مدينة كبيرة.",
    "东京在日本,富士山离东京不远。",
    "दिल्ली भारत में है; गंगा एक नदी है।",
    "Việt Nam có nhiều sông; ภูเก็ต เป็นเกาะ",
    "𐍅𐌿𐌻𐍆𐌹𐌻𐌰 🙂 Qusqu 🙂 Лондон",
    "Kay qillqapi mana sutikunachu kan.",
)


def sample_documents(copies: int = 12) -> list[AnnotatedText]:
    """Documents with some hundred anchors, each text another one; one document has no anchor.

    Args:
        copies: How many documents there are for each sentence.
    """
    texts = [f"{n}. {sentence}" for n in range(copies) for sentence in _SENTENCES]
    return [AnnotatedText(text, f"document {n}", tuple(_anchors(text))) for n, text in enumerate(texts)]


def _anchors(text: str) -> list[Anchor]:
    found = []
    for word, name in _NAMES.items():
        at = text.find(word)
        while at >= 0:
            found.append(Anchor(at, at + len(word), word, None, {"en": name, "de": name}))
            at = text.find(word, at + len(word))
    return sorted(found, key=lambda anchor: anchor.start)
