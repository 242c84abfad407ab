"""Rank and number of processes in distributed training, and the share of a batch that each process takes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lexigraft.core.errors import LexigraftError


@dataclass(frozen=True)
class Processes:
    """The processes that share one run, as seen from one of them.

    Attributes:
        index: This process's number, from 0.
        count: How many there are, over all machines.
        local_index: This process's number on its machine, from 0.
        sharding: The library that shards the weights over the processes: "FSDP", "DeepSpeed" or "" (none).
    """

    index: int = 0
    count: int = 1
    local_index: int = 0
    sharding: str = ""

    @property
    def first(self) -> bool:
        """Whether this is the main process, the only one that writes, logs and prints."""
        return self.index == 0

    def share(self, rows: int) -> slice:
        """This process's rows of a batch: shares differ by one row at most, and together they are the whole batch.

        Args:
            rows: Rows in the batch of all processes.

        Raises:
            LexigraftError: Some process would get no row.
        """
        if rows < self.count:
            raise LexigraftError(
                "a batch has fewer rows than there are processes",
                f"rows {rows}, processes {self.count}",
                "Raise batch_tokens, lower sequence_length, or start fewer processes",
            )
        return slice(self.index * rows // self.count, (self.index + 1) * rows // self.count)


def processes() -> Processes:
    """Read what a launcher (`torchrun`, `accelerate launch`) sets: RANK, WORLD_SIZE, LOCAL_RANK and ACCELERATE_USE_….

    Without LOCAL_RANK there was no launcher: some clusters set WORLD_SIZE for every program.

    Raises:
        LexigraftError: The weights are to be sharded in a way that is not supported.
    """
    if "LOCAL_RANK" not in os.environ:
        return Processes()
    index, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    sharding = next((n for n in ("FSDP", "DeepSpeed") if os.environ.get(f"ACCELERATE_USE_{n.upper()}") == "true"), "")
    if sharding == "FSDP" and (version := os.environ.get("FSDP_VERSION", "1")) != "2":
        raise LexigraftError("this version of FSDP is not supported", version, "Set fsdp_version: 2")
    return Processes(index, count, int(os.environ["LOCAL_RANK"]), sharding)
