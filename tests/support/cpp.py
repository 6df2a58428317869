"""C++ programs of tests, which use the readers of exports."""

import shutil
import subprocess

import pytest


def compile_cpp(folder, main, headers):
    """Compiles a program beside copies of its headers, as they lie in an export.

    Args:
      folder: to write to.
      main: the source of the program.
      headers: paths of what it includes; other files are copied, too.

    Returns:
      The path of the program. The test is skipped where there is no g++.
    """
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed.")
    for header in headers:
        shutil.copy(header, folder)
    (folder / "main.cc").write_text(main)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, "main.cc", "-o", "main"], cwd=folder, check=True)
    return folder / "main"
