"""Which linear maps a network computes, one after the other, whatever modules or functions it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

MAPS = (
    functional.linear,
    *(functional.conv1d, functional.conv2d, functional.conv3d),
    *(functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d),
    *(torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__),
)


class Call(NamedTuple):
    """One application of a linear map.

    Args:
        number: among all of a forward pass, from 0.
        function: `function(entering, *others, **named)` is what left it.
        entering: (N, …).
        others, named: weight, bias and so on.
    """

    number: int
    function: Callable[..., Tensor]
    entering: Tensor
    others: tuple[Any, ...]
    named: Mapping[str, Any]

    def on(self, x: Tensor) -> Tensor:
        """The same map of other values."""
        return self.function(x, *self.others, **self.named)


class LinearCalls(TorchFunctionMode):
    """Within a `with` block, `calls` grows by every linear map that is applied to something computed.

    Args:
        only: keep the call of that number alone, so that no other activation stays in memory.
    """

    def __init__(self, only: int | None = None) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._only, self._count = only, 0

    def __enter__(self) -> LinearCalls:
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Note the call and make it."""
        named = dict(kwargs or {})
        if func in MAPS:
            first = args[0] if args else named.pop("input")
            others = args[1:]
            if not isinstance(first, nn.Parameter):
                if self._only in (None, self._count):
                    self.calls.append(Call(self._count, func, first, others, named))
                self._count += 1
            return func(first, *others, **named)
        return func(*args, **named)
