"""`python -m benchmarks`."""

from benchmarks.cli import benchmarks
from zoo.cli import run

if __name__ == "__main__":
    run(benchmarks, "python -m benchmarks")
