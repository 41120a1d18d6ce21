"""An acoustic fingerprint, so that the same recording meets itself in another format, rate or level.

One 32-bit word every 32 ms: the signs of energy differences between 33 neighbouring bands and between moments (after
Haitsma & Kalker 2002, "A highly robust audio fingerprinting system", section 4; the moments lie 256 ms apart, which
cost a quarter fewer wrong bits than neighbours did). Bands lie in 300-1900 Hz, which telephones keep. Copies differ
in less than an eighth of their bits, other recordings in about half.

Band keys come from coarser words (8 bits of 9 wide bands, at 4 moments): copies share a fifth of those.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from filters.audio import RATE_HZ
from filters.native import kernel, mix64

FINGERPRINT_VERSION = 1  # of words and band keys: stored ones join only within one version
BANDS = 20  # keys a record
MIN_KEY_WORDS = 8  # distinct; a sound with fewer (below about 1.5 s) has no keys
SILENT = 0  # the word of a frame without sound
HOP = 512  # samples a word
_DECIMATION, _TAPS = 4, 64
_FFT = 1024  # at 4 kHz: 256 ms
_LAG = 8  # words between the two moments of a word, and between the four of a key word
_KEY_BITS, _KEY_MOMENTS = 8, 4
_LOW_HZ, _HIGH_HZ = 300.0, 1900.0
_SILENT_BELOW, _KEY_SILENT_BELOW = 1e-5, 1e-3  # of the loudest frame: 50 dB; 30 dB
_BLOCK = 32  # frames transformed at once: they and their spectra stay in the second cache
_SILENT_POWER = 1e-7  # in band energy: digital silence and its dither


class Fingerprint(NamedTuple):
    """words: uint32[n], one every HOP samples; keys: uint64[BANDS], or uint64[0] for a sound too short or silent."""

    words: Any
    keys: Any


@dataclass(frozen=True)
class NearDuplicate:
    """When two sounds are the same recording."""

    max_error_fraction: float = 0.25  # of compared bits; unrelated sounds have about 0.5
    min_overlap_fraction: float = 0.8  # compared words / sounding words of the one with more


class Match(NamedTuple):
    """How two fingerprints lie on each other at their best offset."""

    error_fraction: float  # wrong bits / compared bits; 1 where nothing was compared
    overlap_fraction: float  # compared words / sounding words of the one with more
    offset: int  # words by which the second starts later


def fingerprint(samples: Any) -> Fingerprint:
    """Return the fingerprint of float32 samples at 16 kHz; no words below 530 ms.

    Keys are min-wise samples of the set of key words: two sounds share key k with probability J, the Jaccard
    similarity of their sets, and one of the 20 with 1 - (1 - J)^20: 0.64 at J = 0.05, 0.88 at 0.1, 0.99 at 0.2. A
    shared key makes a candidate, not a verdict: `match` compares the words.
    """
    powers = _powers(samples)
    if len(powers) <= _LAG:
        return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, np.uint64))
    fine = _signs(powers, _FINE, _SILENT_BELOW)
    found: Any = np.packbits(fine.bits, axis=1).view(">u4").astype(np.uint32).ravel()
    found[fine.silent] = SILENT
    distinct = np.unique(_key_words(_signs(powers, _COARSE, _KEY_SILENT_BELOW)))
    enough = len(distinct) >= MIN_KEY_WORDS
    return Fingerprint(found, _least(distinct, FINGERPRINT_VERSION) if enough else np.zeros(0, np.uint64))


def match(first: Any, second: Any) -> Match:
    """Return how two fingerprints agree, at the offset that most of their equal words point to."""
    if not len(first) or not len(second):
        return Match(1.0, 0.0, 0)
    best = Match(1.0, 0.0, 0)
    sounding = max(int((first != SILENT).sum()), int((second != SILENT).sum()), 1)
    for offset in _offsets(first, second):
        wrong, compared = _wrong_bits(first, second, offset)
        if compared:
            found = Match(wrong / (32 * compared), compared / sounding, offset)
            best = min(best, found)
    return best


def is_same_recording(found: Match, rule: NearDuplicate) -> bool:
    """Say whether a match is close enough and long enough."""
    return found.error_fraction <= rule.max_error_fraction and found.overlap_fraction >= rule.min_overlap_fraction


def _offsets(first: Any, second: Any) -> list[int]:
    """Return up to three offsets, most equal words first, then the smaller shift."""
    order = np.argsort(first, kind="stable")
    ranked = first[order]
    low, high = np.searchsorted(ranked, second, "left"), np.searchsorted(ranked, second, "right")
    votes = np.zeros(len(first) + len(second), np.int64)
    _vote(order, second, low, high, votes)
    shifts = np.arange(len(votes)) - len(second)
    best = np.lexsort((shifts, np.abs(shifts), -votes))[:3]
    return [int(shifts[k]) for k in best]


class _Signs(NamedTuple):
    bits: Any  # bool[n, bands - 1]
    silent: Any  # bool[n]: one of the two moments is


def _filter() -> Any:
    """Return float32[64]: a Hamming-windowed low pass at 2 kHz for 16 kHz input, gain 1."""
    taps = np.sinc((np.arange(_TAPS) - (_TAPS - 1) / 2) / _DECIMATION) * np.hamming(_TAPS)
    return (taps / taps.sum()).astype(np.float32)


def _edges(count: int) -> Any:
    """Return int64[count]: bins of the spectrum, evenly spaced in log frequency."""
    return np.rint(np.geomspace(_LOW_HZ, _HIGH_HZ, count) * _FFT * _DECIMATION / RATE_HZ).astype(np.int64)


_FILTER = _filter()
_WINDOW = np.hanning(_FFT + 1)[:-1].astype(np.float32)
_FINE, _COARSE = _edges(34), _edges(_KEY_BITS + 2)


def _powers(samples: Any) -> Any:
    """Return float32[frames, bins]: the power spectrum from _LOW_HZ to _HIGH_HZ of 256 ms, every 32 ms."""
    slow = _decimated(np.ascontiguousarray(samples), _FILTER)
    if len(slow) < _FFT:
        return np.zeros((0, _FINE[-1] - _FINE[0]), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(slow, _FFT)[:: HOP // _DECIMATION]
    out = np.empty((len(frames), _FINE[-1] - _FINE[0]), np.float32)
    for start in range(0, len(frames), _BLOCK):
        spectra = np.fft.rfft(frames[start : start + _BLOCK] * _WINDOW, axis=1)[:, _FINE[0] : _FINE[-1]]
        np.add(spectra.real**2, spectra.imag**2, out=out[start : start + _BLOCK])
    return out


def _signs(powers: Any, edges: Any, silent_below: float) -> _Signs:
    energy = np.add.reduceat(powers, edges[:-1] - edges[0], axis=1, dtype=np.float32)
    steps = energy[:, :-1] - energy[:, 1:]
    total = energy.sum(axis=1)
    silent = total < max(float(total.max()) * silent_below, _SILENT_POWER)
    return _Signs(steps[_LAG:] > steps[:-_LAG], silent[_LAG:] | silent[:-_LAG])


def _key_words(signs: _Signs) -> Any:
    """Return uint32[m]: the bits of four moments that lie _LAG words apart, where all of them sound."""
    octets = np.packbits(signs.bits, axis=1).ravel()
    count = len(octets) - _LAG * (_KEY_MOMENTS - 1)
    if count < 1:
        return np.zeros(0, np.uint32)
    moments = [slice(k * _LAG, k * _LAG + count) for k in range(_KEY_MOMENTS)]
    joined: Any = np.stack([octets[each] for each in moments], axis=1).view(">u4").astype(np.uint32).ravel()
    return joined[~np.logical_or.reduce([signs.silent[each] for each in moments])]


@kernel
def _decimated(samples: Any, taps: Any) -> Any:
    """Return every fourth sample of the filtered input, as far as the filter lies wholly in it."""
    count = max((len(samples) - len(taps)) // _DECIMATION + 1, 0)
    out = np.empty(count, np.float32)
    lanes = np.empty(8, np.float32)
    for i in range(count):
        base = i * _DECIMATION
        lanes[:] = 0
        for k in range(0, len(taps), 8):
            for lane in range(8):
                lanes[lane] += samples[base + k + lane] * taps[k + lane]
        out[i] = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
    return out


@kernel
def _least(distinct: Any, version: int) -> Any:
    keys = np.empty(BANDS, np.uint64)
    for band in range(BANDS):
        seed = mix64(np.uint64(version * 1000 + band + 1))
        least: Any = np.uint64(0xFFFFFFFFFFFFFFFF)
        for i in range(len(distinct)):
            least = min(least, mix64(np.uint64(distinct[i]) ^ seed))
        keys[band] = mix64(least + seed)
    return keys


@kernel
def _vote(order: Any, second: Any, low: Any, high: Any, votes: Any) -> None:
    for j in range(len(second)):
        if second[j] != SILENT:
            for k in range(low[j], min(high[j], low[j] + 64)):
                votes[order[k] - j + len(second)] += 1


@kernel
def _wrong_bits(first: Any, second: Any, offset: int) -> tuple[int, int]:
    wrong, compared = 0, 0
    for i in range(max(offset, 0), min(len(first), len(second) + offset)):
        a, b = first[i], second[i - offset]
        if a != SILENT and b != SILENT:  # noqa: PLR1714  (a kernel)
            x = np.uint64(a ^ b)
            while x:
                x &= x - np.uint64(1)
                wrong += 1
            compared += 1
    return wrong, compared
