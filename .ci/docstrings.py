"""Run pydoclint, which wants every section: here one may be absent, but one that is there must be true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

SECTION = {"DOC101": "Args:", "DOC103": "Args:", "DOC201": "Returns:", "DOC402": "Yields:", "DOC404": "Yields:"}


def docstrings(path: Path) -> dict[int, str]:
    """Docstring of every function and class by the line of its definition."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    nodes = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, kinds)]
    return {n.lineno: ast.get_docstring(n) or "" for n in nodes}


def main(roots: list[str]) -> int:
    """Print the violations that remain; 1 if there are any, 2 if pydoclint itself failed."""
    command = [str(Path(sys.executable).with_name("pydoclint")), "-q", *roots]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    path, found, texts = Path(), 0, {}
    for line in lines:
        if line.endswith(".py") and not line.startswith(" "):
            path, texts = Path(line), docstrings(Path(line))
        elif match := re.match(r"\s+(\d+): (DOC\d+): (.*)", line):
            section = SECTION.get(match[2])
            if section is None or section in texts.get(int(match[1]), ""):
                print(f"{path}:{match[1]}: {match[2]} {match[3]}")
                found += 1
    if done.returncode and not any("DOC" in line for line in lines):
        print("\n".join(lines), file=sys.stderr)
        return 2
    print(f"pydoclint: {found} violations" if found else "pydoclint: every docstring section is true")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
