"""What holds for every test."""

from __future__ import annotations

import os

# As the command line does: threads that wait do not spin. It must be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# The tests are about processors, wherever they run; `make gpu-check` is about GPUs.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
