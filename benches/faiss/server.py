"""Answers timing requests with FAISS on one thread, line by line, so that its rounds and ours alternate.

Keys are files of 32 bytes each. Every answer is one line: `ok` and numbers, or `error` and a reason. Times are
processor seconds of this process. "Within" a radius includes it.

    version                     ok VERSION INSTRUCTIONS
    keys PATH | queries PATH    ok COUNT
    flat                        ok SECONDS         IndexBinaryFlat over the keys
    range RADIUS                ok SECONDS FOUND   its range search
    nearest K RADIUS            ok SECONDS FOUND   its K nearest, of which FOUND are within the radius
    ivf CELLS                   ok SECONDS         IndexBinaryIVF over the keys, trained on them
    probe CELLS RADIUS          ok SECONDS FOUND   its range search in so many cells
"""

import sys
import time

import faiss
import numpy as np

BITS = 256


class Server:
    def version(self):
        level = getattr(faiss, "SIMDConfig", None)
        return faiss.__version__, level.get_level_name() if level else faiss.get_compile_options().replace(" ", "_")

    def keys(self, path):
        self.stored = read(path)
        return (len(self.stored),)

    def queries(self, path):
        self.asked = read(path)
        return (len(self.asked),)

    def flat(self):
        self.scan = faiss.IndexBinaryFlat(BITS)
        return (timed(lambda: self.scan.add(self.stored))[0],)

    def range(self, radius):
        # FAISS reports distances below the radius.
        seconds, (limits, _, _) = timed(lambda: self.scan.range_search(self.asked, int(radius) + 1))
        return seconds, limits[-1]

    def nearest(self, count, radius):
        seconds, (distances, _) = timed(lambda: self.scan.search(self.asked, int(count)))
        return seconds, np.count_nonzero(distances <= int(radius))

    def ivf(self, cells):
        self.coarse = faiss.IndexBinaryFlat(BITS)
        self.cells = faiss.IndexBinaryIVF(self.coarse, BITS, int(cells))

        def fill():
            self.cells.train(self.stored)
            self.cells.add(self.stored)

        return (timed(fill)[0],)

    def probe(self, cells, radius):
        self.cells.nprobe = int(cells)
        seconds, (limits, _, _) = timed(lambda: self.cells.range_search(self.asked, int(radius) + 1))
        return seconds, limits[-1]


def read(path):
    return np.fromfile(path, dtype=np.uint8).reshape(-1, BITS // 8)


def timed(work):
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def main():
    faiss.omp_set_num_threads(1)
    server = Server()
    for line in sys.stdin:
        # Paths may hold blanks, but only the last argument of a request is a path.
        name, _, rest = line.rstrip("\n").partition(" ")
        arguments = [rest] if name in ("keys", "queries") else rest.split()
        try:
            print("ok", *getattr(server, name)(*arguments), flush=True)
        except Exception as error:
            print("error", repr(error).replace("\n", " "), flush=True)


main()
