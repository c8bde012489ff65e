"""Builds an index and shows with tqdm how far it is; Ctrl-C keeps what is finished.

    python build_with_progress.py INDEX VIDEOS...
"""

from __future__ import annotations

import sys

from tqdm import tqdm

import uniq


def main() -> None:
    """Build the index of the first argument from the others."""
    folder, *sources = sys.argv[1:]
    with tqdm(unit="B", unit_scale=True) as bar:

        def show(news: uniq.Progress) -> None:
            if news.kind == "started":
                bar.reset(total=news.bytes)
            elif news.kind == "finished":
                bar.update(news.bytes or 0)
                if news.outcome == "failed":
                    tqdm.write(f"{news.code}: {news.message}", file=sys.stderr)

        try:
            index, summary = uniq.Index.build(folder, sources, progress=show)
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on")
    print(f"{summary.added} added, {len(summary.failed)} failed; {index.state.hours:.3f} h, root {index.state.root[:12]}")


if __name__ == "__main__":
    main()
