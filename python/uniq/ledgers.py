"""The ledger: who offered which seconds first."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._native import _uniq
from ._options import CancelEvent, CheckArguments, Decoding, StrPath
from ._wire import from_json
from .corpus import Index, Progress, control
from .report import Effort, Report, Submission

__all__ = ["Entry", "Ledger", "Standing", "VerifiedLedger"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A submission as ``uniq intake list --json`` tells it.

    Attributes
    ----------
    number : int
        Of two, the smaller was received first.
    by, ref : str, str or None
        Who submitted it, and the creator's name for it.
    kind : {"clip", "fingerprint"}
        What was submitted.
    state : str
        ``received``, ``decided``, ``failed``, ``lapsed`` or ``withdrawn``.
    reason : str or None
        Why it failed, lapsed or was withdrawn.
    received_at : str
        When it got its number, in RFC 3339.
    sha256, bytes, path : str, int, str
        The file.
    duration_ms : int or None
        Length in milliseconds.
    verdict : str or None
        The verdict against public videos.
    provisional : bool
        Whether only a fingerprint was seen.
    offered_ms, sold_ms, disputed_ms, withdrawn_ms : int
        Milliseconds that it claims, by state.
    """

    number: int
    by: str
    ref: str | None
    kind: Literal["clip", "fingerprint"]
    state: str
    reason: str | None
    received_at: str | None
    sha256: str
    bytes: int
    path: str
    duration_ms: int | None
    verdict: str | None
    provisional: bool
    offered_ms: int
    sold_ms: int
    disputed_ms: int
    withdrawn_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Current state of a submission in a ledger: its report, if any, and what is payable."""

    report: Report | None
    submission: Submission


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedLedger:
    """A ledger whose rows fit: how many, of how many submissions, and the head of their chain."""

    events: int
    submissions: int
    head: str


class Ledger:
    """A ledger of submissions, in SQLite or PostgreSQL, with the index of their keys.

    It may be shared by threads and processes.
    """

    def __init__(self, native: _uniq.Ledger) -> None:
        self._native = native

    @classmethod
    def open(
        cls,
        place: StrPath,
        *,
        submissions: StrPath | None = None,
        create: bool = False,
        patience: float = 30.0,
    ) -> Ledger:
        """Open a ledger.

        Parameters
        ----------
        place : path or str
            A file, or the URL of a PostgreSQL database (``postgres://``).
        submissions : path, optional
            Folder of the index of the submissions' keys; beside the file if it is not given.
        create : bool
            Whether to make one if there is none.
        patience : float
            Seconds for which another writer is waited for.

        Returns
        -------
        Ledger
            The ledger.

        Raises
        ------
        LedgerError
            If there is none, or it is damaged, of another version, or in use.
        ValueError
            If a database is named without a folder.
        """
        name = os.fspath(place)
        if submissions is None:
            if name.startswith(("postgres://", "postgresql://")):
                raise ValueError("name the folder with the keys of the submissions, which all hosts share: submissions=")
            submissions = f"{name}.index"
        return cls(_uniq.Ledger.open(name, Path(submissions), patience, create))

    @property
    def name(self) -> str:
        """Its name, without a password."""
        return self._native.name()

    def add(
        self,
        clip: StrPath,
        *,
        index: Index | StrPath,
        by: str,
        ref: str | None = None,
        is_fingerprint: bool = False,
        effort: Effort = "standard",
        search: Literal["auto", "exact", "screened"] = "auto",
        quality: bool = True,
        decoding: Decoding | None = None,
        progress: Callable[[Progress], object] | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> Report:
        """Submit a clip: it gets its number, is checked, and waits for its turn.

        Parameters
        ----------
        clip : path
            The clip, or its fingerprint file.
        index : Index or path
            The index of public videos.
        by : str
            Who submits it.
        ref : str, optional
            The creator's name for it.
        is_fingerprint : bool
            Whether the file is a fingerprint.
        effort : {"fast", "standard", "thorough"}
            Effort of the search.
        search : {"auto", "exact", "screened"}
            Whether all keys are compared.
        quality : bool
            Whether the clip is measured for its price.
        decoding : Decoding, optional
            How the clip is decoded.
        progress : callable, optional
            Called in this thread with a :class:`Progress`: of kind ``received``, whose ``done`` is
            the number, once that is durable.
        deadline : float, optional
            Seconds after which the work stops; the number stays, and adding it again continues.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        Report
            The answer; ``submission`` holds what the ledger says.

        Raises
        ------
        LedgerError
            If the ledger is damaged, in use or refuses it.
        ClipError, DecoderError, FileError, CorpusError
            As for :func:`uniq.check`.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        if not isinstance(index, Index):
            index = Index.open(index)
        arguments = CheckArguments(effort=effort, search=search, quality=quality, exclude=[])
        listening = control(deadline, cancel, progress)
        report = self._native.add(
            index._native, Path(clip), is_fingerprint, by, ref, arguments, decoding or Decoding(), listening
        )
        return Report.from_json(report)

    def list(self, *, by: str | None = None) -> tuple[Entry, ...]:
        """List the submissions in the order of their numbers.

        Parameters
        ----------
        by : str, optional
            Only those of this creator.

        Returns
        -------
        tuple of Entry
            The submissions.

        Raises
        ------
        LedgerError
            If it cannot be read.
        """
        entries = from_json(tuple[Entry, ...], self._native.list())
        return tuple(entry for entry in entries if by is None or entry.by == by)

    def show(self, number: int) -> Standing:
        """Return the current state of a submission.

        Parameters
        ----------
        number : int
            Its number.

        Returns
        -------
        Standing
            Its report, and what is payable now.

        Raises
        ------
        LedgerError
            If there is no such number, or it cannot be read.
        """
        report, said = self._native.show(number)
        return Standing(
            report=None if report is None else Report.from_json(report),
            submission=from_json(Submission, said),
        )

    def decide(self, a: int, b: int, *, same: bool, by: str, why: str) -> tuple[int, ...]:
        """Record whether two submissions show the same recording.

        Parameters
        ----------
        a, b : int
            Their numbers.
        same : bool
            Whether they do.
        by, why : str
            Who says so, and why.

        Returns
        -------
        tuple of int
            Submissions whose answers have changed.

        Raises
        ------
        LedgerError
            If they share nothing, or it cannot be written.
        """
        return tuple(self._native.decide(a, b, same, by, why))

    def review(
        self,
        number: int,
        of_match: int,
        ruling: Literal["copy", "same_scene", "allowed", "undo"],
        *,
        by: str,
        why: str,
    ) -> tuple[int, ...]:
        """Record a person's judgement of a match with a public source.

        Parameters
        ----------
        number : int
            The submission.
        of_match : int
            Place of the match in ``report.matches``, from 0.
        ruling : {"copy", "same_scene", "allowed", "undo"}
            The judgement.
        by, why : str
            Who says so, and why.

        Returns
        -------
        tuple of int
            Submissions whose answers have changed.

        Raises
        ------
        LedgerError
            If there is no such match, or it cannot be written.
        """
        return tuple(self._native.review(number, of_match, ruling, by, why))

    def withdraw(self, number: int, *, by: str, why: str) -> None:
        """Withdraw a submission, and remove its keys.

        Parameters
        ----------
        number : int
            Its number.
        by, why : str
            Who withdraws it, and why.

        Raises
        ------
        LedgerError
            If it claims nothing, or it cannot be written.
        """
        self._native.withdraw(number, by, why)

    def sold(self, number: int, *, by: str, why: str) -> float:
        """Record that a submission was bought.

        Parameters
        ----------
        number : int
            Its number.
        by, why : str
            Who says so, and the reference of the payment.

        Returns
        -------
        float
            Seconds that are sold now.

        Raises
        ------
        LedgerError
            If it offers nothing or is provisional, or it cannot be written.
        """
        return self._native.sold(number, by, why) / 1000.0

    def verify(self, *, head: str | None = None) -> VerifiedLedger:
        """Verify the chain of all events, and compare the tables with it.

        Parameters
        ----------
        head : str, optional
            Head of an earlier time, which the chain has to contain.

        Returns
        -------
        VerifiedLedger
            How much fits, and the head now.

        Raises
        ------
        LedgerError
            If something does not fit.
        """
        events, submissions, now = self._native.verify(head)
        return VerifiedLedger(events=events, submissions=submissions, head=now)

    def __repr__(self) -> str:
        return f"Ledger({self.name!r})"
