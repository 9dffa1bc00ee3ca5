"""The command ``gander-serve``."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gander_serve import VERSION
from gander_serve.errors import ServeError
from gander_serve.limits import REQUESTS, Together

EPILOG = """\
To use it: Gander: Connect to Engine… in the editor, or gander route --engine http://127.0.0.1:8765, or see PROTOCOL.md.
The token is read from --token-file, otherwise from GANDER_SERVE_TOKEN; otherwise a new one is printed. It cannot be an
argument, because others on the machine could see it. The connection is not encrypted: over a network, put a proxy with
TLS in front, or use ssh -L 8765:127.0.0.1:8765.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog="gander-serve",
        description="Serve a routed language model to Gander: a mixture of experts, or a pool of LoRA experts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", metavar="MODEL", help="a transformers folder, a pool's folder, or a name on a hub")
    made.add_argument("--base", metavar="FOLDER", help="for a pool: its base as a transformers folder")
    made.add_argument(
        "--adapter", type=Path, metavar="FOLDER", help="for a transformers model: a PEFT LoRA adapter to merge into it"
    )
    made.add_argument("--download", action="store_true", help="download missing files from the hub")
    made.add_argument(
        "--device", help="cpu, cuda, cuda:1, …, or auto: all GPUs, then memory (default: a GPU if there is one)"
    )
    made.add_argument(
        "--dtype", choices=["float32", "bfloat16", "float16"], help="default: float32 on a CPU, otherwise as stored"
    )
    made.add_argument(
        "--offload", type=Path, metavar="FOLDER", help="with --device auto: for weights that do not fit in memory"
    )
    made.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, only this machine)"
    )
    made.add_argument("--port", type=int, default=8765, help="0 for any free port (default: %(default)s)")
    made.add_argument("--token-file", type=Path, metavar="FILE", help="contains the token; created if missing")
    made.add_argument(
        "--tokens", type=int, metavar="N", help="the most in one request (default: what the model was made for)"
    )
    made.add_argument(
        "--waiting", type=int, default=16, metavar="N", help="the most requests that may wait (default: %(default)s)"
    )
    made.add_argument(
        "--chunk",
        type=int,
        default=128,
        metavar="N",
        help="tokens to run before checking whether the client is still there (default: %(default)s)",
    )
    made.add_argument(
        "--together",
        type=int,
        metavar="N",
        help="the most waiting requests to run in one pass, if they are similar and no longer than --chunk; "
        f"1 runs each alone (default: {REQUESTS} in float32, where the answers are the same; otherwise 1)",
    )
    made.add_argument(
        "--together-tokens",
        type=int,
        default=Together.tokens,
        metavar="N",
        help="the most tokens in such a pass, including padding (default: %(default)s)",
    )
    made.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's)")
    made.add_argument("--version", action="version", version=VERSION)
    return made


def run(args: argparse.Namespace) -> None:
    """Loads the model and serves it. Raises ``ServeError`` if that fails."""
    # Both are read when transformers is imported. Without the second it asks the hub for newer versions of a model.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if not args.download:
        os.environ["HF_HUB_OFFLINE"] = "1"
    # Imported only here, so that --help does not wait for torch.
    import torch

    from gander_serve.app import Service
    from gander_serve.engine import Engine
    from gander_serve.loading import DTYPES, Where, is_pool, load_adapted, load_hugging_face
    from gander_serve.moe import MoeModel
    from gander_serve.passage import Model
    from gander_serve.server import listening, serve, token_of

    for name in ("tokens", "chunk", "threads", "together", "together_tokens"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise ServeError("cannot-serve", f"--{name.replace('_', '-')} is {value}.", "It must be at least 1.")
    token, is_new = token_of(args.token_file)
    opened = listening(args.host, args.port)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    where = Where(
        args.device or Where.usual(),
        None if args.dtype is None else DTYPES[args.dtype],
        not args.download,
        args.offload,
    )
    model: Model
    adapted: list[str] = []
    if is_pool(Path(args.model)):
        if args.adapter is not None:
            raise ServeError(
                "cannot-serve",
                f"{args.model} is a pool, whose adapters are its experts; --adapter is for a transformers model.",
                "Add it to the pool, or leave out --adapter.",
            )
        try:
            from gander_serve.pool import PoolModel
        except ImportError:
            raise ServeError(
                "cannot-serve", f"{args.model} is a pool, which needs gander-routing.", "pip install gander-serve[pool]"
            ) from None
        model = PoolModel(Path(args.model), where, args.base)
    elif args.adapter is not None:
        loaded, said = load_adapted(args.model, where, args.adapter)
        model = MoeModel(loaded)
        adapted.append(said)
    else:
        model = MoeModel(load_hugging_face(args.model, where))
    together = Together(args.together, args.together_tokens)
    engine = Engine(model, args.chunk, args.tokens, together)
    service = Service(engine, token, args.waiting)
    host, port = opened.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def ready() -> None:
        for line in adapted:
            print(f"gander-serve: {line}", file=sys.stderr)
        for warning in model.warnings:
            print(f"gander-serve: {warning['text']}", file=sys.stderr)
        if engine.requests < (args.together or 1):
            print("gander-serve: each request runs alone: batching changes this model's results", file=sys.stderr)
        if not is_loopback(host):
            print(f"gander-serve: {host} can be reached from other machines, unencrypted", file=sys.stderr)
        if is_new:
            print(f"gander-serve: token {token}", file=sys.stderr)
        print(f"{model.loaded.name} at {address}", flush=True)

    serve(service, opened, ready)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return ipaddress.ip_address(host).is_loopback


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. An error prints one line and returns 1."""
    try:
        run(parser().parse_args(argv))
    except ServeError as error:
        print(f"gander-serve: {error.message} {error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # Ctrl-C while the model loads
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
