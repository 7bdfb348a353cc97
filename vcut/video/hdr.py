"""HDR (PQ, HLG) to ordinary video: ITU-R BT.2446-1, method A, with a peak of 1,000 cd/m2, then BT.2020 to BT.709.

For the network, which was trained on ordinary pictures and would see an HDR one as pale; and for the output where
``--tone-map`` asks for it. Else HDR stays what it is, and is tagged so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vcut.video.colour import ColourTags
from vcut.video.depth import at_depth, is_deep
from vcut.video.source import Frame, Source

PQ, HLG = 16, 18
"""ffmpeg's numbers of the transfer functions of ITU-R BT.2100."""

SDR = ColourTags(matrix=1, primaries=1, transfer=1, range=1)

PEAK, SDR_PEAK = 1000.0, 100.0
"""cd/m2 of the brightest that is kept apart, and of the white it becomes."""

_GAMMA = 2.4
_LUMA = (0.2627, 0.6780, 0.0593)
_TO_709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
"""Linear BT.2020 to BT.709 (ITU-R BT.2087)."""


def is_hdr(tags: ColourTags) -> bool:
    """Whether a source's values are PQ or HLG."""
    return tags.transfer in (PQ, HLG)


def tone_map(rgb: np.ndarray, transfer: int, deep: bool = False) -> np.ndarray:
    """An HDR picture as an ordinary one.

    Args:
        rgb: H x W x 3 uint8 or uint16, R'G'B' of BT.2100.
        transfer: ``PQ`` or ``HLG``.
        deep: give uint16.

    Returns:
        H x W x 3 uint8 or uint16, R'G'B' of BT.709.
    """
    top = 65535 if is_deep(rgb) else 255
    table = _display_light(torch.linspace(0, 1, top + 1, dtype=torch.float64), transfer).float()
    light = table[torch.from_numpy(rgb.astype(np.int32))]  # 1 is the peak
    if transfer == HLG:
        light = light * (light @ torch.tensor(_LUMA)).clamp_(min=1e-6).pow_(0.2)[..., None]  # its OOTF, BT.2100
    red, green, blue = (light.clamp_(0, 1) ** (1 / _GAMMA)).unbind(2)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    mapped = _compress(luma)
    factor = mapped / (1.1 * luma).clamp_(min=1e-6)
    cb, cr = factor * (blue - luma) / 1.8814, factor * (red - luma) / 1.4746
    mapped = mapped - (0.1 * cr).clamp_(min=0)
    red, blue = mapped + 1.4746 * cr, mapped + 1.8814 * cb
    green = (mapped - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    linear = torch.stack([red, green, blue], 2).clamp_(0, 1) ** _GAMMA
    ordinary = (linear @ torch.tensor(_TO_709).T).clamp_(0, 1) ** (1 / _GAMMA)
    if deep:
        return (ordinary * 65535).round_().to(torch.int32).numpy().astype(np.uint16)
    return (ordinary * 255).round_().to(torch.uint8).numpy()


class ToneMapped(Source):
    """A source of HDR as one of ordinary frames; closing it closes the other.

    Args:
        source: whose frames are HDR, best in 16 bits.
        deep: give frames in 16 bits.
    """

    def __init__(self, source: Source, deep: bool) -> None:
        self._source = source
        self._deep = deep
        self._transfer = source.info.colour.transfer or PQ
        self.info = replace(source.info, colour=SDR)

    @property
    def warnings(self) -> list[str]:  # type: ignore[override]
        """Those of the source."""
        return self._source.warnings

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._source:
            alpha = None if frame.alpha is None else at_depth(frame.alpha, self._deep)
            yield replace(frame, rgb=tone_map(frame.rgb, self._transfer, self._deep), alpha=alpha)

    def close(self) -> None:
        self._source.close()


def _display_light(signal: Tensor, transfer: int) -> Tensor:
    """Values in 0..1 to light by the peak: what a display shows (PQ), or what the camera saw (HLG)."""
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        return ((root - c1).clamp(min=0) / (c2 - c3 * root)) ** (1 / m1) * (10000 / PEAK)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return torch.where(signal <= 0.5, signal**2 / 3, (((signal - c) / a).exp() + b) / 12)


def _compress(luma: Tensor) -> Tensor:
    """The tone curve of BT.2446-1, 4.2."""
    high, low = (1 + 32 * (peak / 10000) ** (1 / _GAMMA) for peak in (PEAK, SDR_PEAK))
    p = (1 + (high - 1) * luma).log() / np.log(high)
    middle = -1.1510 * p * p + 2.7811 * p - 0.6302
    c = torch.where(p <= 0.7399, 1.0770 * p, torch.where(p < 0.9909, middle, 0.5 * p + 0.5))
    return (low**c - 1) / (low - 1)
