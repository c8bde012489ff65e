"""The report of one check, and what it consists of.

The classes mirror the JSON of ``uniq check --json`` field by field. Times are seconds from the
first frame of their file, with millisecond resolution. Rectangles are fractions of a displayed
frame, 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ._wire import FIRST, OMITTED, from_json, to_json

__all__ = [
    "Amount",
    "Area",
    "Bars",
    "BitDepth",
    "Capture",
    "Clip",
    "Declared",
    "Deduction",
    "EditPower",
    "Effort",
    "FrameRate",
    "Geometry",
    "IndexSummary",
    "Interval",
    "Judgement",
    "Match",
    "MatchKind",
    "NonMatch",
    "Overlay",
    "Overlays",
    "Pictures",
    "PricedSpan",
    "Quality",
    "Reason",
    "ReasonCode",
    "Rectangle",
    "Related",
    "Report",
    "Resolution",
    "Review",
    "Scan",
    "SearchSummary",
    "Seconds",
    "Shares",
    "Source",
    "Span",
    "SpanState",
    "Stream",
    "Submission",
    "Term",
    "Tool",
    "Verdict",
]

Verdict = Literal["unpublished", "partly_published", "published", "inconclusive"]
SpanState = Literal["published", "unpublished", "unsearchable"]
MatchKind = Literal["copy", "same_scene", "undecided"]
Effort = Literal["fast", "standard", "thorough"]
ReasonCode = Literal[
    "copy",
    "same_scene",
    "black",
    "flat",
    "frozen",
    "simple",
    "still",
    "indistinct",
    "undecided",
    "quick_cuts",
    "repeated",
    "treated",
    "from_fingerprint",
    "short",
    "benign",
    "beside",
    "undecoded",
    "streams",
    "empty_index",
    "no_match",
    "not_allowed",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A time interval of a video, in seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rectangle:
    """A rectangle in fractions of the width and height of a frame, 0 to 1."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a clip, or a part of it, has its verdict.

    Attributes
    ----------
    code : str
        For programs.
    seconds : float or None
        Seconds of the clip that it concerns, or ``None`` if it concerns the whole clip.
    text : str
        A sentence for people.
    """

    code: ReasonCode
    seconds: float | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """The clip that was checked.

    Attributes
    ----------
    path : str
        Path as the caller gave it.
    sha256 : str
        SHA-256 of the file.
    duration_s : float
        Length in seconds.
    width, height : int
        Displayed size in pixels.
    codec, container : str
        FFmpeg's short names.
    from_fingerprint : bool
        Whether a fingerprint was given in place of the clip.
    keyframes, keys : int
        Number of sampled frames, and of their keys.
    benign_keys : int
        Number of keys filtered out as benign.
    """

    path: str
    sha256: str
    duration_s: float
    width: int
    height: int
    codec: str
    container: str
    from_fingerprint: bool
    keyframes: int
    keys: int
    benign_keys: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A video stream of the clip."""

    index: int
    codec: str
    width: int
    height: int
    duration_s: float | None
    state: Literal["checked", "cover", "still", "not_checked"]
    reason: str | None
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """Length of the clip by state, in seconds; the first three add up to its length."""

    published: float
    unpublished: float
    unsearchable: float
    benign: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of the clip with its state, and why it is unsearchable if it is."""

    start_s: float
    end_s: float
    state: SpanState
    reason: Reason | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A source as it was indexed, and what is known about its publication."""

    id: str
    path: str
    sha256: str
    duration_s: float
    url: str | None = None
    title: str | None = None
    uploader: str | None = None
    platform: str | None = None
    published_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """Contribution of a term of the model to the logarithm of the odds, in bits."""

    name: str
    bits: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """Agreement of the small pictures.

    Attributes
    ----------
    compared : int
        Number of pictures of the source.
    correlation : float
        Correlation of moving content, -1 to 1.
    share : float
        Share of the source's moving content that was compared, 0 to 1.
    """

    compared: int
    correlation: float
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Geometry:
    """The overlap of the clip's frame and the source's.

    Attributes
    ----------
    clip, reference : Rectangle
        In the clip's frame, and in the source's.
    scale : float
        Size of a detail in the source's frame relative to the clip's, both in frame heights.
    """

    clip: Rectangle
    reference: Rectangle
    scale: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NonMatch:
    """An alignment of the clip with a source; on its own, one that is no match.

    Attributes
    ----------
    source : Source
        The source.
    clip, reference : Interval
        Time in the clip, and in the source.
    evidence_bits, moment_bits : float
        All evidence, and that which belongs to this moment only, in bits.
    probability : float
        Probability that it is a copy, 0 to 1.
    terms : tuple of Term
        Contribution of each term of the model.
    pictures : Pictures or None
        Agreement of the small pictures, if they were compared.
    shown : float
        Share of the source's regions that the clip shows, 0 to 1.
    mirrored : bool
        Whether left and right are exchanged.
    turned_degrees : int
        Clockwise rotation of the clip that aligns it with the source.
    widened, slanted : float
        Factors of the clip's width and of its diagonal that give it the source's proportions.
    negative : bool
        Whether bright and dark are exchanged.
    speed : float
        Seconds of the source per second of the clip; negative if the clip plays backwards.
    geometry : Geometry
        The overlap of the two frames.
    hits : int
        Number of inlier correspondences.
    identical : bool
        Whether clip and source are identical files.
    """

    source: Source
    clip: Interval
    reference: Interval
    evidence_bits: float
    moment_bits: float
    probability: float
    terms: tuple[Term, ...]
    pictures: Pictures | None
    shown: float
    mirrored: bool
    turned_degrees: int
    widened: float = 1.0
    slanted: float = 1.0
    negative: bool = False
    speed: float
    geometry: Geometry
    hits: int
    identical: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Match(NonMatch):
    """A match of a part of the clip with a part of a source.

    Attributes
    ----------
    kind : str
        ``copy``, ``same_scene`` or ``undecided``.
    stream : int or None
        The video stream of the match, if the clip has several pictures.
    """

    kind: MatchKind = field(metadata=FIRST)
    stream: int | None = field(default=None, metadata=FIRST)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditPower:
    """Mean power over the clip for copies with a class of edits, 0 to 1."""

    edit: str
    power: float


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSummary:
    """The state of the index that was searched.

    Attributes
    ----------
    root : str
        SHA-256 that commits to the state.
    generation : int
        Number of commits.
    videos : int
        Number of sources.
    benign_videos, benign_keys : int
        Number of videos of benign material, and of their keys.
    hours : float
        Total length of the sources.
    keys : int
        Number of keys of the sources.
    without_pictures : int
        Number of sources without small pictures.
    interval_s : float
        Maximum time between two keyframes of a source, in seconds.
    version, fingerprint_version : int
        Versions of the format and of the method.
    committed_at : str or None
        Time of the commit in RFC 3339, if known.
    """

    root: str
    generation: int
    videos: int
    benign_videos: int = 0
    benign_keys: int = 0
    hours: float
    keys: int
    without_pictures: int
    interval_s: float
    version: int
    fingerprint_version: int
    committed_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSummary:
    """Settings of the search.

    Attributes
    ----------
    mode : str
        ``exact`` or ``screened``.
    exact : bool
        Whether all keys of the index were compared.
    recall : float or None
        Share of the copies found by comparing all keys that this search finds too, 0 to 1.
    radius_bits : int
        Maximum Hamming distance of a hit.
    query_interval_s : float
        Interval of the clip from which one frame is sampled, in seconds.
    published_probability, payable_probability : float
        Minimum probability of a copy, and maximum of an alignment that is none.
    effort : str
        ``fast``, ``standard`` or ``thorough``.
    """

    mode: str
    exact: bool
    recall: float | None
    radius_bits: int
    query_interval_s: float
    published_probability: float
    payable_probability: float
    effort: Effort


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """Lines of the picture, and of the picture that it was upscaled from."""

    lines: int
    native_lines: int | None
    state: Literal["native", "upscaled", "undecided"]
    confidence: float
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameRate:
    """Frames a second, as stored and as seen."""

    stored: float
    distinct: float | None
    state: Literal["full", "repeated", "blended", "undecided"]
    repeated: float
    blended: float
    variable: bool
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BitDepth:
    """Bits of a luma sample, and how many of them hold something."""

    stored: int
    used: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """Whether frames consist of two fields."""

    state: Literal["progressive", "interlaced", "undecided"]
    flagged: float
    combed: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """A rectangle in fractions of the width and height of a displayed frame, 0 to 1."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """Black bars, and the picture between them."""

    state: Literal["none", "found", "undecided"]
    picture: Area | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """A burnt-in logo or caption."""

    kind: Literal["logo", "caption"]
    area: Area
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlays:
    """Burnt-in logos and captions."""

    state: Literal["none", "found", "undecided"]
    found: tuple[Overlay, ...]
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Shares of the clip's frames, 0 to 1; ``None`` if they were not measured."""

    dark: float | None
    blurred: float | None
    shaken: float | None
    frozen: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """What the container says about the recording."""

    make: str | None
    model: str | None
    recorded_at: str | None
    has_place: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What a C2PA manifest declares. Its signature is not verified."""

    manifest: Literal["no_declaration", "unverified", "unreadable"]
    generated: Literal["partly", "wholly"] | None
    training: Literal["allowed", "constrained", "not_allowed"] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """What sets the price of a clip: measured on its frames, or claimed by its file."""

    resolution: Resolution
    frame_rate: FrameRate
    bit_depth: BitDepth
    scan: Scan
    bars: Bars
    overlays: Overlays
    shares: Shares
    capture: Capture
    declared: Declared


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedSpan:
    """An unpublished span with its rate."""

    start_s: float
    end_s: float
    # The name of a class of the rate card.
    class_: str | None = field(metadata={"name": "class"})
    minutes: float
    per_minute: float
    cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """Price of a clip by a rate card, in hundredths of the currency."""

    currency: str
    card_sha256: str
    payable: bool
    payable_cents: int
    withheld_cents: int
    spans: tuple[PricedSpan, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """The program that made a report, and the FFmpeg that it ran with."""

    name: str
    version: str
    commit: str | None = None
    ffmpeg: str = ""
    libavcodec: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deduction:
    """Unpublished seconds that are not payable, and on whose account."""

    start_s: float
    end_s: float
    reason: str
    number: int | None
    by: str | None
    there: Interval | None
    probability: float | None
    evidence_bits: float | None
    mirrored: bool | None
    speed: float | None
    identical: bool | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Related:
    """An earlier submission of the same scene."""

    number: int
    by: str
    start_s: float
    end_s: float
    there: Interval
    decided: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A person's judgement of a match."""

    source_sha256: str
    start_s: float
    end_s: float
    verdict: str
    by: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """Judgements of the matches of a submission."""

    judgements: tuple[Judgement, ...]
    released_minutes: float
    withheld_minutes: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What a ledger of submissions says about a clip."""

    number: int
    by: str
    ref: str | None
    state: str
    received_at: str | None
    provisional: bool
    payable_minutes: float
    provisional_minutes: float
    sold_minutes: float
    payable: tuple[Interval, ...]
    deductions: tuple[Deduction, ...]
    related: tuple[Related, ...]
    review: Review | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The answer to one check.

    Attributes
    ----------
    schema : int
        Version of the format.
    clip : Clip
        The clip that was checked.
    streams : tuple of Stream
        Its video streams; none for a fingerprint.
    verdict : str
        ``unpublished``, ``partly_published``, ``published`` or ``inconclusive``.
    reasons : tuple of Reason
        Why.
    seconds : Seconds
        Length of the clip by state.
    payable_minutes : float
        Unpublished minutes; 0 if the verdict is inconclusive, or a fingerprint was given.
    provisional_minutes : float
        Minutes that become payable once a check of the clip confirms the fingerprint.
    spans : tuple of Span
        The clip from start to end, by state.
    searchable : tuple of Interval or None
        The parts that would be unpublished if nothing had matched, if that is known.
    matches : tuple of Match
        Copies, same scenes and undecided matches, in order of the clip's time.
    timeline, power : tuple of float
        For each second, the probability that it is published, and that a search would find a copy
        of it.
    power_by_edit : tuple of EditPower
        Mean power by class of edits.
    more_sources : int
        Number of further sources, which are counted but not listed.
    nearest_non_match : NonMatch or None
        The most probable copy among the alignments that are no match.
    index : IndexSummary
        The index that was searched.
    search : SearchSummary
        Settings of the search.
    quality : Quality or None
        What sets the price of the clip, if it was measured.
    amount : Amount or None
        Its price by a rate card.
    tool : Tool
        The program that made the report.
    checked_at : str or None
        Time of the check in RFC 3339; the only field that differs from run to run.
    submission : Submission or None
        What a ledger of submissions says about the clip.
    """

    schema: int
    clip: Clip
    streams: tuple[Stream, ...] = ()
    verdict: Verdict
    reasons: tuple[Reason, ...]
    seconds: Seconds
    payable_minutes: float
    provisional_minutes: float = 0.0
    spans: tuple[Span, ...]
    searchable: tuple[Interval, ...] | None = None
    matches: tuple[Match, ...]
    timeline: tuple[float, ...]
    power: tuple[float, ...]
    power_by_edit: tuple[EditPower, ...]
    more_sources: int = 0
    nearest_non_match: NonMatch | None
    index: IndexSummary
    search: SearchSummary
    quality: Quality | None = None
    amount: Amount | None = None
    tool: Tool
    checked_at: str | None = None
    submission: Submission | None = field(default=None, metadata=OMITTED)

    @classmethod
    def from_json(cls, data: str | bytes) -> Report:
        """Read a report, such as a line that ``uniq check --json`` has printed.

        Parameters
        ----------
        data : str or bytes
            JSON.

        Returns
        -------
        Report
            The report.

        Raises
        ------
        ValueError
            If it is not a report, or has fields of a later version.
        """
        return from_json(cls, data)

    def to_json(self) -> bytes:
        """Write the report as ``uniq check --json`` does, byte for byte, without a line feed.

        Returns
        -------
        bytes
            JSON in UTF-8.
        """
        return to_json(self)
