"""What is set up where a model runs."""

from __future__ import annotations

import subprocess
import sys

PRODUCTS = """
import threading, torch
from vcut.engine.runtime import choose_runtime

choose_runtime("cpu", "fp32")

def show():  # so many that torch shares them out among its threads
    print((torch.full((1 << 20,), 2.0**-120) * 2.0**-10).view(torch.int32).count_nonzero().item())

show()
thread = threading.Thread(target=show)
thread.start()
thread.join()
"""


def test_floats_that_slow_a_cpu_down_are_zero_in_all_threads():
    done = subprocess.run([sys.executable, "-c", PRODUCTS], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["0", "0"], done.stderr
    before = PRODUCTS.replace('choose_runtime("cpu", "fp32")', "")
    plain = subprocess.run([sys.executable, "-c", before], capture_output=True, text=True, timeout=120)
    assert plain.stdout.split() == [str(1 << 20)] * 2
