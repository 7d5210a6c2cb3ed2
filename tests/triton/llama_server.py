"""llama.cpp's own OpenAI-compatible server with the bundled model: prints its address, ends with its input.

Its key is the first argument. It answers one question at a time.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "triton_models"))

import model_files
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(model_files.generate_model(""))
params.n_parallel, params.n_ctx, params.verbosity = 1, 2048, -1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.cpuparams.poll = params.cpuparams_batch.poll = 0  # the cores are those of other tests, too
params.api_keys = [sys.argv[1]]
params.ui = False
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
