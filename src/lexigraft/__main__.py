"""`python -m lexigraft`: the form in which `torchrun` and `accelerate launch` start the command line."""

from __future__ import annotations

from lexigraft.cli.main import main

if __name__ == "__main__":
    main()
