"""Certificates, duplicates, the ledger, and signals for others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import uniq
from conftest import Footage, ffmpeg
from test_check import program


def test_a_certificate_is_verified_and_reproduced(index: uniq.Index, footage: Footage, tmp_path: Path) -> None:
    public = uniq.new_key(tmp_path / "signer.pem")
    made = uniq.Certificate.make(
        footage.other, index=index, key=tmp_path / "signer.pem", name="tests", effort="fast"
    )
    file = tmp_path / "other.certificate.json"
    made.certificate.save(file)
    with pytest.raises(uniq.FileError):
        made.certificate.save(file)
    loaded = uniq.Certificate.load(file)
    assert loaded.statement == made.certificate.statement
    assert loaded.statement["predicate"]["verdict"] == made.report.verdict == "unpublished"
    signature = loaded.verify(key=public, clip=footage.other)
    assert (signature.clip, len(signature.key_id)) == (True, 64)
    done = loaded.reproduce(made.fingerprint, index=index)
    assert (done.equal, done.difference, done.grown) == (True, None, False)

    command = [program(), "certificate", "verify", str(file), "--key", str(public)]
    assert subprocess.run(command, capture_output=True).returncode == 0

    with pytest.raises(uniq.CertificateError) as another:
        loaded.verify(key=public, clip=footage.copy)
    assert another.value.code == "invalid_certificate"
    stranger = uniq.new_key(tmp_path / "stranger.pem")
    with pytest.raises(uniq.CertificateError):
        loaded.verify(key=stranger)
    with pytest.raises(uniq.SettingError):
        loaded.verify()
    with pytest.raises(uniq.CertificateError):
        loaded.reproduce(uniq.fingerprint(footage.copy), index=index)
    with pytest.raises(uniq.CertificateError):
        uniq.Certificate(b"{}")


def test_duplicates_are_paired_and_grouped(footage: Footage, tmp_path: Path) -> None:
    news: list[uniq.Progress] = []
    found = uniq.dedup(
        [footage.film, footage.copy, footage.other, footage.broken],
        keep="longest",
        effort="fast",
        progress=news.append,
    )
    assert found.duplicates
    (group,) = found.groups
    assert group.keep.path == str(footage.film)
    assert [member.path for member in group.members] == [str(footage.copy)]
    assert [failure.code for failure in found.failed] == ["not_media"]
    (pair,) = (pair for pair in found.pairs if pair.kind == "copy")
    assert pair.matches[0].mirrored
    assert {"reading", "decoding", "comparing"} <= {one.what for one in news}

    command = [program(), "dedup", "--json", "--effort", "fast", str(footage.film), str(footage.copy)]
    printed = subprocess.run(command, stdout=subprocess.PIPE).stdout
    theirs = uniq.Deduplication.from_json(printed)
    assert theirs.to_json() + b"\n" == printed


def test_the_second_offer_of_a_clip_is_not_payable(index: uniq.Index, footage: Footage, tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    with pytest.raises(uniq.LedgerError) as nothing:
        uniq.Ledger.open(place)
    assert nothing.value.code == "no_ledger"
    ledger = uniq.Ledger.open(place, create=True)
    numbers: list[int | None] = []
    first = ledger.add(
        footage.other,
        index=index,
        by="ann",
        ref="take 1",
        effort="fast",
        progress=lambda news: numbers.append(news.done),
    )
    assert first.submission is not None
    assert numbers == [1]
    assert first.submission.payable_minutes == pytest.approx(first.payable_minutes)
    assert first.payable_minutes > 0
    again = tmp_path / "again.mp4"
    ffmpeg("-i", footage.other, "-vf", "scale=320:-2", "-pix_fmt", "yuv420p", again)
    second = ledger.add(again, index=index, by="bob", effort="fast")
    assert second.submission is not None
    assert second.payable_minutes == 0
    assert {deduction.number for deduction in second.submission.deductions if deduction.number} == {1}
    assert [(entry.number, entry.by, entry.ref, entry.state) for entry in ledger.list()] == [
        (1, "ann", "take 1", "decided"),
        (2, "bob", None, "decided"),
    ]
    assert [entry.number for entry in ledger.list(by="bob")] == [2]
    head = ledger.verify().head
    assert 2 in ledger.decide(1, 2, same=False, by="judge", why="seen both")
    assert ledger.show(2).submission.payable_minutes > 0
    assert ledger.verify(head=head).submissions == 2
    assert ledger.sold(1, by="shop", why="invoice 7") > 0
    ledger.withdraw(2, by="bob", why="a mistake")
    assert [entry.state for entry in ledger.list()] == ["decided", "withdrawn"]
    with pytest.raises(uniq.LedgerError) as refused:
        ledger.withdraw(2, by="bob", why="again")
    assert refused.value.code == "ledger_refused"
    with pytest.raises(ValueError, match="submissions="):
        uniq.Ledger.open("postgres://nowhere/ledger")


def test_signals_for_threatexchange(footage: Footage, tmp_path: Path) -> None:
    signals = pytest.importorskip("uniq.threatexchange")
    kind = signals.UniqKeySignal
    again, other = tmp_path / "again.jpg", tmp_path / "other.jpg"
    ffmpeg("-i", footage.still, "-vf", "scale=240:-2", "-q:v", "12", again)
    ffmpeg("-ss", "2", "-i", footage.other, "-frames:v", "1", other)
    ours, same, foreign = (kind.hash_from_file(file) for file in (footage.still, again, other))
    assert kind.validate_signal_str(ours.upper()) == ours
    near, far = kind.compare_hash(ours, same), kind.compare_hash(ours, foreign)
    assert near.match and near.distance.distance <= signals.RADIUS
    assert not far.match and far.distance.distance > signals.RADIUS
    index = kind.get_index_cls()()
    index.add(ours, "still")
    index.add(foreign, "other")
    assert [found.metadata for found in index.query(same)] == ["still"]
    assert kind.hash_from_file(footage.black) == ""
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        kind.validate_signal_str("abc")
    keyframes = signals.signals_of_clip(footage.copy)
    assert len(keyframes) > 10
    assert kind.get_name() == "uniq_key"
