"""Tones: a WAV that holds one, and the one that is heard in samples."""

import array
import math
import wave

RATE = 48000
STEP = 8  # samples left out of every so many when listening: tones are below 1500 Hz


def write(file, hertz, seconds=60, amplitude=8000):
    """Writes a mono WAV of 16 bits; a whole number of periods makes a second."""
    second = array.array("h", (round(amplitude * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(RATE)))
    with wave.open(str(file), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(second.tobytes() * seconds)


def samples(data):
    """Reads samples of 16 bits."""
    return array.array("h", bytes(data[: len(data) & ~1]))


def amplitude(x, hertz, rate=RATE):
    """The amplitude of one frequency in samples, by Goertzel's algorithm."""
    k, a, b = 2 * math.cos(2 * math.pi * hertz / rate), 0.0, 0.0
    for v in x:
        a, b = v + k * a - b, a
    return 2 * math.sqrt(max(0.0, a * a + b * b - k * a * b)) / max(1, len(x))


def loudest(x):
    """The frequency between 100 and 1500 Hz, in steps of 10, that is loudest."""
    thin = x[::STEP]
    return max(range(100, 1500, 10), key=lambda hertz: amplitude(thin, hertz, RATE // STEP))


def peak(x):
    """The greatest sample's size."""
    return max((abs(v) for v in x), default=0)
