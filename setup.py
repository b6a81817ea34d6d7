"""Builds asyncstore._native with CMake; everything else about the package is in pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()


class CMakeBuild(build_ext):
    """Configures and builds native/; incremental, since the build folder is kept."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        build = ROOT / "build" / "native"
        without_uring = os.environ.get("ASYNCSTORE_WITHOUT_URING", "") not in ("", "0")
        configure = [
            "cmake",
            "-S", str(ROOT / "native"),
            "-B", str(build),
            "-G", "Ninja",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DASYNCSTORE_WITHOUT_URING={'ON' if without_uring else 'OFF'}",
            f"-DASYNCSTORE_SANITIZE={os.environ.get('ASYNCSTORE_SANITIZE', '')}",
        ]  # fmt: skip
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", str(build), "--target", "_native"], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(str(build / target.name), str(target))


setup(ext_modules=[Extension("asyncstore._native", sources=[])], cmdclass={"build_ext": CMakeBuild})
