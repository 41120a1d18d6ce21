"""Run by a Python that has xllamacpp: serve a model's file over OpenAI's API on loopback until standard input ends.

python small_model.py MODEL.gguf      prints the base of the API
"""

import sys

import xllamacpp


def main() -> None:
    """Serve on one thread; the port is free."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.n_ctx, parameters.n_parallel = 2048, 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
