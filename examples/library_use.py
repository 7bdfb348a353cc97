"""vcut as a library: your own loop over frames, with label maps and opacity of each.

python examples/library_use.py CLIP MASK
"""

from __future__ import annotations

import sys

from vcut import Propagator, load_model
from vcut.masks.labels import read_mask
from vcut.video.reader import open_source


def main(clip: str, mask: str) -> None:
    propagator = Propagator(load_model())  # the weights that come with vcut, on the best device there is
    with open_source(clip) as source:
        first = read_mask(mask, (source.info.width, source.info.height))
        for frame in source:
            step = propagator.step(frame.rgb) if frame.index else propagator.start(frame.rgb, first.labels)
            shares = {i: float((step.labels == i).mean()) for i in first.ids}
            print(f"frame {frame.index}:", ", ".join(f"object {i} covers {100 * s:.1f} %" for i, s in shares.items()))


if __name__ == "__main__":
    main(*sys.argv[1:3])
