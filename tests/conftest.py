"""Tests run side by side (pytest-xdist), as many as there are cores, and share these."""

import os

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # before torch is imported; for the commands they start, too
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))
