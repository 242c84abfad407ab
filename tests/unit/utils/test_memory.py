"""Peak memory is the program's own, whatever started it."""

import subprocess
import sys

ASK = "from lexigraft.core.utils.memory import peak_rss_bytes as ask\n"
MORE = "first = ask(); taken = b'x' * 2**28; second = ask(); del taken; print(first, second, ask())"


def _answers(program: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", ASK + program], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_what_is_taken_counts_and_the_peak_stays() -> None:
    first, second, last = _answers(MORE)
    assert first > 2**22
    assert 0.9 * 2**28 < second - first < 1.1 * 2**28
    assert last > 0.99 * second


def test_a_large_program_does_not_count_for_those_that_it_starts() -> None:
    large = b"x" * 2**28
    (found,) = _answers("print(ask())")
    assert found < len(large)
