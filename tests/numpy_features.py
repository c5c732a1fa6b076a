"""What NumPy gives on other processors: its code for newer ones can be switched off."""

import os
import subprocess
import sys

_NEWER = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"


def printed_with_and_without_avx(code: str) -> set[str]:
    """All that a Python program prints, as it is and without NumPy's code for AVX2 and newer: one text where nothing differs."""
    found = set()
    for disabled in ("", _NEWER):
        process = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled},
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        found.add(process.stdout)
    return found
