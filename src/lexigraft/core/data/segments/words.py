"""Words of a text, in scripts with and without spaces between them."""

from __future__ import annotations

import re

_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARK = "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0971-\u0df3"
WORD = re.compile(rf"[{_ALONE}]|(?:[^\W{_ALONE}]|[{_MARK}])(?:[^\W{_ALONE}]|[{_MARK}]|['’ʼ‘](?=[^\W\d_]))*")
"""A word with its marks and inner apostrophes; a character alone in scripts that put no spaces between words."""
