"""Options of JAX that must be set before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys

# Without trying out kernels while compiling: there are many functions of short use.
FLAGS = "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"


def set_flags() -> None:
    """Lets JAX compile faster, if its release knows the options."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()
    # XLA ends the process if it does not know an option.
    tried = subprocess.run(
        [sys.executable, "-c", "import jax; jax.numpy.zeros(1)"],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
    )
    if tried.returncode == 0:
        os.environ["XLA_FLAGS"] = flags
    else:
        print("JAX does not know the options to compile faster; it goes without them.", flush=True)
