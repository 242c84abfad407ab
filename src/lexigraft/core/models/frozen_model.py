"""Frozen source model with further input rows."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.tables import LOGITS_BIAS, Role, logits_bias_of, tables_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Rows = Mapping[Role, "torch.Tensor"]
"""New rows by role, ``(new, hidden)``, the bias ``(new,)``; no OUTPUT where the model ties its tables."""


@dataclass(frozen=True, eq=False)
class FrozenModel:
    """A model whose weights are constants in float32.

    Gradients reach only the new rows that are passed in.

    Ids below ``size`` are the source tokenizer's; id ``size + n`` is row ``n`` of the new rows. Rows that the model's
    table has beyond the tokenizer's ids are not used. The model itself is never changed.

    Attributes:
        model: The model, in evaluation mode.
        size: How many ids the source tokenizer has.
        weights: Its parameters by name, detached, float32, on the device; tied ones under each of their names.
        device: The device that it computes on.
    """

    model: PreTrainedModel
    size: int
    weights: Mapping[str, torch.Tensor]
    device: str

    @classmethod
    def of(cls, model: PreTrainedModel, size: int, device: str = "cpu") -> FrozenModel:
        """Freeze a model.

        Args:
            model: The source model, in evaluation mode.
            size: How many ids its tokenizer has.
            device: The device to compute on; the weights are copied there if the model is on another one.
        """
        import torch

        moved: dict[int, torch.Tensor] = {}
        weights = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if id(parameter) not in moved:
                moved[id(parameter)] = parameter.detach().to(device, torch.float32)
            weights[name] = moved[id(parameter)]
        buffers = {name: buffer.to(device) for name, buffer in model.named_buffers() if device != str(buffer.device)}
        return cls(model, size, weights | buffers, device)

    @property
    def tied(self) -> bool:
        """Whether the model reads and predicts with one table."""
        return tables_of(self.model).tied

    @cached_property
    def stack(self) -> Any:
        """The module that reads a text: the encoder of an encoder-decoder, else the whole body."""
        return self.model.get_encoder() if self.model.config.is_encoder_decoder else self.model.base_model

    @property
    def depth(self) -> int:
        """Number of layers of :attr:`stack`."""
        depth: int = self.model.config.get_text_config().num_hidden_layers
        return depth

    def layer(self, wanted: float) -> int | None:
        """After how many layers to stop, as :meth:`states` takes it.

        Args:
            wanted: -1 for all of them, below 1 a share of them (rounded up), else their number.

        Raises:
            LexigraftError: More layers than there are.
        """
        layers = math.ceil(wanted * self.depth - 1e-9) if 0 < wanted < 1 else int(wanted)
        if layers > self.depth:
            raise LexigraftError("the model has fewer layers", f"{layers} of {self.depth}", "Give -1, a share or less")
        return None if layers in (-1, self.depth) else layers

    @cached_property
    def blocks(self) -> Any:
        """The layers themselves, in order.

        Raises:
            LexigraftError: The model does not keep them in one list.
        """
        import torch

        lists = [m for m in self.stack.modules() if isinstance(m, torch.nn.ModuleList)]
        blocks = next((m for m in lists if len(m) == self.depth), None)
        if blocks is None:
            raise LexigraftError(
                "the layers of this model cannot be told apart",
                type(self.model).__name__,
                "Use all of them (layer -1, or a share of 1.0)",
            )
        return blocks

    def embed(self, ids: torch.Tensor, rows: Rows | None = None) -> torch.Tensor:
        """Input embeddings of ids of the combined table, with the model's own scaling.

        Args:
            ids: int64, any shape.
            rows: The new rows; needed where an id is at least ``size``.

        Returns:
            float32, the shape of ``ids`` and ``(hidden,)``.
        """
        import torch
        from torch.func import functional_call

        module: Any = self.model.get_input_embeddings()
        flat = ids.to(self.device).flatten()
        picked = self._weights_of(module)["weight"][flat.clamp(max=self.size - 1)]
        if rows is not None and len(rows[Role.INPUT]):
            # Not by indexing, whose backward pass adds in no fixed order.
            new = torch.nn.functional.embedding((flat - self.size).clamp(min=0), rows[Role.INPUT])
            picked = torch.where((flat >= self.size).unsqueeze(1), new, picked)
        bare = copy.copy(module)  # some models scale inside this module; its padding_idx would stop a row's gradient
        bare.padding_idx = None
        positions = torch.arange(len(flat), device=self.device)
        scaled: torch.Tensor = functional_call(bare, {"weight": picked}, (positions,))
        return scaled.view(*ids.shape, -1)

    def states(
        self, ids: torch.Tensor, mask: torch.Tensor, rows: Rows | None = None, layer: int | None = None
    ) -> torch.Tensor:
        """Hidden states of a text: after some layer, or (``None``) as the body returns them.

        Args:
            ids: int64, ``(batch, length)``, padded on the right.
            mask: 1 for tokens, 0 for padding, as ``ids``.
            rows: The new rows.
            layer: After how many layers to stop; later layers are not computed.

        Returns:
            float32, ``(batch, length, hidden)``.
        """
        inputs = {"inputs_embeds": self.embed(ids, rows), "attention_mask": mask.to(self.device)}
        if layer is None:
            return _states_in(self._call(self.stack, inputs))
        try:
            with _hooked(self.blocks[layer - 1].register_forward_hook, _stop):
                self._call(self.stack, inputs)
        except _LayerReached as reached:
            return reached.states
        raise AssertionError("the layer asked for never ran")

    def logits(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        rows: Rows | None = None,
        *,
        at: torch.Tensor | None = None,
        decoder_ids: torch.Tensor | None = None,
        head_only: bool = False,
    ) -> torch.Tensor:
        """Logits over the combined table: the source's ids, then the new ones.

        The head's transforms, biases, scales and soft caps are those of the model. In a tied model the new input rows
        are the new output rows.

        Args:
            ids: int64, ``(batch, length)``, padded on the right.
            mask: 1 for tokens, 0 for padding, as ``ids``.
            rows: The new rows; a head bias that is not given is 0 for them.
            at: Positions to compute, bool, ``(batch, length)``; all by default.
            decoder_ids: Inputs of the decoder of an encoder-decoder, ``(batch, decoder length)``; ``at`` then selects
                its positions.
            head_only: Let gradients reach the new output rows (and bias) only.

        Returns:
            float32, ``(positions, size + new)``; without ``at`` ``(batch, length, size + new)``.
        """
        inputs = {"inputs_embeds": self.embed(ids, rows), "attention_mask": mask.to(self.device)}
        if decoder_ids is not None:
            inputs["decoder_inputs_embeds"] = self.embed(decoder_ids, rows)
        head: Any = self.model.get_output_embeddings()
        with ExitStack() as hooks:
            hooks.enter_context(_hooked(head.register_forward_pre_hook, self._narrowed(at, head_only)))
            hooks.enter_context(_hooked(head.register_forward_hook, self._widened(rows)))
            logits: torch.Tensor = self._call(self.model, inputs, self._logits_bias(rows)).logits
        return logits

    def states_and_logits(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        rows: Rows | None = None,
        layer: int | None = None,
        *,
        at: torch.Tensor | None = None,
        head_only: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The results of :meth:`states` and :meth:`logits`, from one forward pass."""
        seen: list[torch.Tensor] = []
        module = self.stack if layer is None else self.blocks[layer - 1]
        with _hooked(module.register_forward_hook, lambda _module, _args, output: seen.append(_states_in(output))):
            logits = self.logits(ids, mask, rows, at=at, head_only=head_only)
        return seen[0], logits

    @staticmethod
    def _narrowed(at: torch.Tensor | None, head_only: bool) -> Callable[..., tuple[Any, ...]]:
        def narrow(_module: Any, args: tuple[torch.Tensor, ...]) -> tuple[Any, ...]:
            states = args[0].detach() if head_only else args[0]
            if at is not None:
                chosen = at.flatten().nonzero().flatten().to(states.device)
                states = states.flatten(0, 1).index_select(0, chosen)
            return (states, *args[1:])

        return narrow

    def _logits_bias(self, rows: Rows | None) -> dict[str, torch.Tensor]:
        """The logits bias of the combined table, where the model adds one itself."""
        import torch

        if (own := logits_bias_of(self.model)) is None:
            return {}
        own = own[:, : self.size].to(self.device, torch.float32)
        new = () if rows is None else (rows.get(Role.BIAS, own.new_zeros(len(rows[Role.INPUT]))).unsqueeze(0),)
        return {LOGITS_BIAS: torch.cat([own, *new], dim=-1)}

    def _widened(self, rows: Rows | None) -> Callable[..., torch.Tensor]:
        import torch

        outside = logits_bias_of(self.model) is not None

        def widen(_module: Any, args: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
            own = logits[..., : self.size]
            if rows is None:
                return own
            bias = None if outside else rows.get(Role.BIAS)
            new = torch.nn.functional.linear(args[0], rows.get(Role.OUTPUT, rows[Role.INPUT]), bias)
            return torch.cat([own, new], dim=-1)

        return widen

    def _call(
        self, module: Any, inputs: dict[str, torch.Tensor], replaced: Mapping[str, torch.Tensor] | None = None
    ) -> Any:
        from torch.func import functional_call

        uncached = {"use_cache": False} if "use_cache" in inspect.signature(module.forward).parameters else {}
        weights = {**self._weights_of(module), **(replaced or {})}
        return functional_call(module, weights, (), {**inputs, **uncached}, tie_weights=False)

    def _weights_of(self, module: Any) -> dict[str, torch.Tensor]:
        name = next(n for n, m in self.model.named_modules() if m is module)
        prefix = f"{name}." if name else ""
        return {name.removeprefix(prefix): w for name, w in self.weights.items() if name.startswith(prefix)}


class _LayerReached(Exception):
    """Ends a forward pass after the last layer needed, and carries its states."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def _stop(_module: Any, _args: Any, output: Any) -> None:
    raise _LayerReached(_states_in(output))


def _states_in(output: Any) -> torch.Tensor:
    """Hidden states in a module's output: a layer's tensor or tuple, or a body's output object (states come first)."""
    import torch

    states: torch.Tensor = output if isinstance(output, torch.Tensor) else output[0]
    return states


@contextmanager
def _hooked(register: Callable[..., Any], hook: Callable[..., Any]) -> Iterator[None]:
    handle = register(hook)
    try:
        yield
    finally:
        handle.remove()
