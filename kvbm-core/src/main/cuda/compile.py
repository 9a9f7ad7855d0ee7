"""Makes move.ptx from move.cu with NVIDIA's run-time compiler, which needs no GPU.

    pip install --no-deps --target /tmp/nvrtc nvidia-cuda-nvrtc-cu11==11.8.89
    python3 compile.py /tmp/nvrtc

The compiler is an old one on purpose: its PTX is read by every driver since R520, and by newer ones as well.
"""

import ctypes
import hashlib
import pathlib
import sys

ARCHITECTURE = b"--gpu-architecture=compute_70"  # Volta; the driver makes code of it for whatever GPU there is

here = pathlib.Path(__file__).resolve().parent
library = next(pathlib.Path(sys.argv[1]).rglob("libnvrtc.so.*"))
nvrtc = ctypes.CDLL(str(library))


def check(status):
    if status != 0:
        raise SystemExit(f"NVRTC answers {status}")


program = ctypes.c_void_p()
source = (here / "move.cu").read_bytes()
check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"move.cu", 0, None, None))
status = nvrtc.nvrtcCompileProgram(program, 2, (ctypes.c_char_p * 2)(ARCHITECTURE, b"--std=c++17"))
size = ctypes.c_size_t()
check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
log = ctypes.create_string_buffer(size.value)
check(nvrtc.nvrtcGetProgramLog(program, log))
print(log.value.decode(), end="")
check(status)
check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
ptx = ctypes.create_string_buffer(size.value)
check(nvrtc.nvrtcGetPTX(program, ptx))
# a test compares it with the source, so that neither changes without the other
origin = b"// Made by compile.py of move.cu, whose SHA-256 is " + hashlib.sha256(source).hexdigest().encode() + b"\n"
(here.parent / "resources/io/kvbm/cuda/move.ptx").write_bytes(origin + ptx.value)
