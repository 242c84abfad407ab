"""Letters right after a link that belong to it, as in ``[[wasi]]kuna``."""

from __future__ import annotations

import re

_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
"""Marks of Latin, Cyrillic, Hebrew and Arabic letters, which are no letters to ``\\w``."""
_INDIC = "\u0900-\u0963\u0971-\u0df3"
"""Letters and vowel signs from Devanagari to Sinhala."""
_EXCLUDED = (
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua980-\uaa7f"  # Burmese, Khmer, Tai, Javanese
    "\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese and Japanese
    "\uac00-\ud7af"  # Korean, whose particles are no part of a name
)
LINK_TRAIL = re.compile(rf"(?:[^\W\d_{_EXCLUDED}]|[{_MARKS}{_INDIC}])+")
"""What MediaWiki lists for each language, by one rule: letters of scripts that put spaces between words."""
