"""Start of the command line by `python -m lexigraft`, which `torchrun` and `accelerate launch` use."""

from __future__ import annotations

from lexigraft.cli.main import main

if __name__ == "__main__":
    main()
