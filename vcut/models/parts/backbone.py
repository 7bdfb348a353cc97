"""ResNet trunks to stride 16 or 32 (He et al. 2016), with batch norm folded into the convolutions.

Batch norm stays frozen in every model here (GAM 4.2.3), and a frozen batch norm is an affine map per channel:
folding it
into the convolution before is exact, faster, and leaves no running variance that fp16 cannot hold.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from vcut.errors import WeightsError

EPS = 1e-5

LAYERS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
PLANES = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18)."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1)
        self.downsample = nn.Conv2d(inputs, planes, 1, stride) if stride != 1 or inputs != planes else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.conv1(x), inplace=True)
        return functional.relu(self.conv2(x).add_(shortcut), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut (ResNet-50 "v1": the stride is on the first convolution)."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, stride)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1)
        self.conv3 = nn.Conv2d(planes, outputs, 1)
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.conv1(x), inplace=True)
        x = functional.relu(self.conv2(x), inplace=True)
        return functional.relu(self.conv3(x).add_(shortcut), inplace=True)


class Trunk(nn.Module):
    """conv1 to layer3, or to layer4.

    Args:
        name: ``resnet18`` or ``resnet50``.
        extra: input channels beyond RGB (masks); their weights start at zero.
        deep: with layer4, at stride 32.

    Attributes:
        channels: channels at strides 2, 4, 8 and 16, and 32 where it is deep.
    """

    def __init__(self, name: str, extra: int = 0, deep: bool = False) -> None:
        super().__init__()
        block = BasicBlock if name == "resnet18" else Bottleneck
        e = block.expansion
        self.name = name
        stages = 4 if deep else 3
        self.channels = (64, *(planes * e for planes in PLANES[:stages]))
        self.conv1 = nn.Conv2d(3 + extra, 64, 7, 2, 3)
        inputs = 64
        for stage, (depth, planes) in enumerate(zip(LAYERS[name][:stages], PLANES[:stages], strict=True), 1):
            blocks = [block(inputs, planes, 1 if stage == 1 else 2)]
            inputs = planes * e
            blocks += [block(inputs, planes, 1) for _ in range(depth - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.deep = deep

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """B,3+extra,H,W to features at strides 2, 4, 8 and 16, and 32 where it is deep."""
        f2 = functional.relu(self.conv1(x), inplace=True)
        f4 = self.layer1(functional.max_pool2d(f2, 3, 2, 1))
        f8 = self.layer2(f4)
        f16 = self.layer3(f8)
        return (f2, f4, f8, f16, self.layer4(f16)) if self.deep else (f2, f4, f8, f16)

    def freeze(self, stages: int) -> None:
        """Takes the first stages (``conv1``, ``layer1``, ``layer2``, ``layer3``) out of training."""
        for stage in (self.conv1, self.layer1, self.layer2, self.layer3)[:stages]:
            stage.requires_grad_(False)

    def take_over(self, source: Trunk) -> None:
        """Starts from another trunk of the same kind, with the stages and inputs that both have; inputs that only this
        one has get zero weights."""
        state = source.state_dict()
        weight = state["conv1.weight"][:, : self.conv1.in_channels]
        missing = self.conv1.in_channels - weight.shape[1]
        state["conv1.weight"] = torch.cat([weight, weight.new_zeros(64, missing, *weight.shape[2:])], 1)
        self.load_state_dict(state, strict=self.deep == source.deep)

    def see_masks(self) -> None:
        """Lets the filters for masks begin at random, of the size of the picture's (RGMP 3.1).

        From zero, an encoder that alone tells its network of the mask learns late to see it.
        """
        weight = self.conv1.weight
        nn.init.normal_(weight[:, 3:].detach(), std=weight[:, :3].std().item())

    def load_imagenet(self, path: Path) -> None:
        """Loads an ImageNet trunk with torchvision's key names, folding its batch norm; extra inputs get zero
        weights.

        Raises:
            WeightsError: no layer4 in it for a deep trunk.
        """
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        if self.deep and not any(key.startswith("layer4.") for key in state):
            raise WeightsError(f"{path} has no layer4", "this network needs a whole ImageNet trunk")
        folded = {}
        for name, module in self.named_modules():
            if not isinstance(module, nn.Conv2d):
                continue
            conv = name.removesuffix("downsample") + "downsample.0" if name.endswith("downsample") else name
            norm = name + ".1" if name.endswith("downsample") else "bn".join(name.rsplit("conv", 1))
            scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPS).sqrt()
            weight = state[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
            missing = module.in_channels - weight.shape[1]
            if missing:
                weight = torch.cat([weight, weight.new_zeros(weight.shape[0], missing, *weight.shape[2:])], 1)
            folded[f"{name}.weight"] = weight
            folded[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        self.load_state_dict(folded)
