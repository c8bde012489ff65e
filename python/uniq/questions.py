"""Answers the questions of the intake service from a Ray cluster; ``uniq serve --ray`` starts it.

``python3 -m uniq.questions --address ADDRESS --index DIR [--holders NUMBER] [--copies NUMBER]``

It speaks on standard input and output, and talks on standard error. A frame is a line of JSON, and
then the bytes whose lengths its ``sizes`` give, one after the other.

================================================  ==========================================
from the service                                  from here
================================================  ==========================================
nothing                                           ``{"speaks": 1, "version": "0.1.0", "sizes": []}``
                                                  once the cluster is reached, or an error, and
                                                  the end
``{"id": 7, "ask": "search", "seconds": 600.0,    ``{"id": 7, "sizes": [C, ...]}`` and the
"sizes": [Q, S, N]}`` and a question, the state   candidates of all segments
of the index, and the needs
``{"id": 8, "ask": "ready", "sizes": []}``        ``{"id": 8, "sizes": []}`` if all segments that are
                                                  held can be searched
any                                               ``{"id": 7, "error": {"code": "incomplete_answer",
                                                  "message": "..."}, "sizes": []}``
================================================  ==========================================

Questions are answered side by side, in any order. The end of standard input ends it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from . import segments
from .errors import CorpusError, UniqError

__all__ = ["main"]

#: Version of the protocol.
SPEAKS = 1
#: Maximum time, in seconds, in which actors must answer that they exist.
LOOK_S = 5.0
#: Maximum time, in seconds, to wait for actors that Ray restarts; the service asks again later.
PATIENCE_S = 30.0
#: Time, in seconds, before an index that could not be opened is tried again.
REST_S = 3.0
#: Maximum time, in seconds, to connect to the address.
REACH_S = 10.0
#: Maximum time, in seconds, to disconnect from the cluster.
GRACE_S = 5.0


@dataclass
class _Held:
    """A commit of the index that actors hold."""

    corpus: Any
    root: str
    generation: int
    #: Stamp of the manifest when it was opened.
    manifest: tuple[int, ...]
    users: int = 0
    #: Whether to close it as soon as nobody uses it.
    is_old: bool = False


class _Corpora:
    """The newest commit of an index, and older ones while they are asked about."""

    def __init__(self, index: Path, holders: int | None, copies: int) -> None:
        self._index, self._holders, self._copies = index, holders, copies
        self._newest: _Held | None = None
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._failed: tuple[float, Exception] | None = None

    def ask(self, question: bytes, state: bytes, needs: bytes, seconds: float) -> list[bytes]:
        """Return the candidates of all segments of the index in this state."""
        with self._of(state) as held:
            try:
                found: list[bytes] = held.corpus.ask(question, needs, state=state, deadline=seconds)
            except Exception as error:
                if _is_of_the_index(error):
                    # Opening it again may help.
                    self._retire(held)
                raise
            return found

    def lacking(self) -> int:
        """Return how many groups of segments nobody can search now."""
        with self._lock:
            corpus = self._newest.corpus if self._newest is not None else None
        return 0 if corpus is None else int(corpus.lacking(LOOK_S))

    @contextmanager
    def _of(self, state: bytes) -> Iterator[_Held]:
        asked = segments.describe_state(state)
        with self._opening:
            while True:
                held = self._newest
                if held is None or (held.root != asked.root and held.manifest != _sign(self._index)):
                    held = self._open()
                if held.root != asked.root:
                    message = (
                        f"{self._index}: the cluster has generation {held.generation}, the question is about "
                        f"{asked.generation}; ask again"
                    )
                    raise CorpusError(message, "incomplete_answer")
                with self._lock:
                    if held.corpus is not None:
                        held.users += 1
                        break
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
            self._close_if_done(held)

    def _open(self) -> _Held:
        """Open the newest commit in place of the one that was."""
        if self._failed is not None and time.monotonic() < self._failed[0] + REST_S:
            raise self._failed[1]
        ray = importlib.import_module("uniq.ray")
        manifest = _sign(self._index)
        try:
            corpus = ray.Corpus(self._index, holders=self._holders, copies=self._copies, patience=PATIENCE_S)
        except Exception as error:
            self._failed = (time.monotonic(), error)
            raise
        self._failed = None
        state = segments.describe_state(corpus.state)
        old = self._newest
        with self._lock:
            opened = self._newest = _Held(corpus, state.root, state.generation, manifest)
        if old is not None:
            self._retire(old)
        return opened

    def _retire(self, held: _Held) -> None:
        with self._lock:
            held.is_old = True
            if self._newest is held:
                self._newest = None
        self._close_if_done(held)

    def _close_if_done(self, held: _Held) -> None:
        with self._lock:
            corpus = held.corpus if held.is_old and held.users == 0 else None
            if corpus is not None:
                held.corpus = None
        if corpus is not None:
            # If the cluster is gone, so are its actors.
            with suppress(Exception):
                corpus.close()


def _sign(index: Path) -> tuple[int, ...]:
    """What tells whether the manifest is another one, or was written to."""
    try:
        found = (index / "manifest").stat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _is_of_the_index(error: Exception) -> bool:
    return not isinstance(error, UniqError) or isinstance(error, CorpusError)


class _Frames:
    """Frames to the service, which several threads send."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink, self._lock = sink, threading.Lock()

    def send(self, head: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
        line = json.dumps({**head, "sizes": [len(part) for part in parts]}).encode() + b"\n"
        with self._lock:
            self._sink.write(b"".join([line, *parts]))
            self._sink.flush()

    def fail(self, id: int | None, code: str, message: str) -> None:
        head: dict[str, Any] = {} if id is None else {"id": id}
        self.send({**head, "error": {"code": code, "message": message}})


def _frames(source: BinaryIO) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
    while line := source.readline():
        head = json.loads(line)
        parts = [source.read(size) for size in head["sizes"]]
        if [len(part) for part in parts] != head["sizes"]:
            return
        yield head, parts


def _answer(frames: _Frames, corpora: _Corpora, head: dict[str, Any], parts: list[bytes]) -> None:
    id = int(head["id"])
    try:
        if head["ask"] == "search":
            question, state, needs = parts
            frames.send({"id": id}, corpora.ask(question, state, needs, float(head["seconds"])))
        elif lacking := corpora.lacking():
            frames.fail(id, "incomplete_answer", f"{lacking} groups of segments have no actor that answers")
        else:
            frames.send({"id": id})
    except UniqError as error:
        frames.fail(id, error.code, str(error))
    except Exception as error:
        frames.fail(id, "incomplete_answer", _first_line(error))


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    if port.isdigit() and "://" not in address:
        # Ray would retry for minutes, so test the connection first.
        socket.create_connection((host, int(port)), REACH_S).close()
    ray: Any = importlib.import_module("ray")
    ray.init(address=address, log_to_driver=False, logging_level="WARNING")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer questions until standard input ends.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command's arguments; by default those of this process.

    Returns
    -------
    int
        Exit code: 0 after the end of standard input, 1 if there is no cluster to ask.
    """
    parser = argparse.ArgumentParser(prog="python3 -m uniq.questions", description="Answer questions of uniq serve")
    parser.add_argument("--address", required=True, help="address of the Ray cluster, or auto")
    parser.add_argument("--index", required=True, type=Path, help="folder of the index, as every machine sees it")
    parser.add_argument("--holders", type=int, help="actors that share the segments (default: one a processor)")
    parser.add_argument("--copies", type=int, default=1, help="actors that hold each segment (default: 1)")
    args = parser.parse_args(arguments)
    # Keep standard output for answers; the output of libraries goes to standard error.
    frames = _Frames(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    try:
        _connect(args.address)
        importlib.import_module("uniq.ray")
    except ImportError as error:
        message = f"{sys.executable}: {error}; install it with: {sys.executable} -m pip install ray"
        frames.fail(None, "no_ray", message)
        return 1
    except Exception as error:
        message = (
            f"{args.address}: no Ray cluster can be reached ({_first_line(error)}); start one with: ray start --head, "
            "or give the address of one"
        )
        frames.fail(None, "no_cluster", message)
        return 1
    corpora = _Corpora(args.index.absolute(), args.holders, args.copies)
    frames.send({"speaks": SPEAKS, "version": importlib.metadata.version("uniq")})
    for head, parts in _frames(sys.stdin.buffer):
        # Each thread waits for the cluster most of the time.
        asked = (frames, corpora, head, parts)
        threading.Thread(target=_answer, args=asked, daemon=True).start()
    # The actors end with this process, even if disconnecting from the cluster hangs.
    end = threading.Timer(GRACE_S, os._exit, (0,))
    end.daemon = True
    end.start()
    importlib.import_module("ray").shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
