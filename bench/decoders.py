"""
Frames per second of the Bluetooth SIG decoders on one core, each frame with its whole Sample. Aim: 100,000.

Every frame of a run has other values, as a clinic's day would: decoders keep values they have seen.
"""

import timeit
from collections.abc import Callable
from time import process_time

from drivers.registry import named
from gateway.core.reading import Frame

AIM_PER_S = 100_000
RUNS, ROUNDS, VALUES = 5, 100, 160

# A frame with every field its device sends, from tests/vectors, and where the low byte of each value lies.
FRAMES = (
    ("ble-blood-pressure", "2A35", "1e820053006200e807091e160b175000010000", (1, 3, 5, 14)),
    ("ble-weight-scale", "2A9D", "0e783eea07050c12353601ee002607", (1, 11)),
    ("ble-body-composition", "2A9C", "9803c200df1a9701cc2fca21a811", (2, 4, 6, 8, 10, 12)),
    ("ble-pulse-oximeter", "2A5E", "0facf3bef5e8070b1d170839204022000066e3", (1, 3, 17)),
    ("ble-pulse-oximeter", "2A5F", "1fdef3caf3caf35af5d4f3b2f220010000007ae3", (1, 3, 5, 7, 9, 11, 18)),
    ("ble-glucose", "2A18", "1b0400e407070e0b06055a0277b0f80000", (1, 12)),
    ("ble-thermometer", "2A1C", "066a0100ffe207030a14140002", (1,)),
    ("ble-heart-rate", "2A37", "104600048003", (1,)),
)


def varied(source: str, payload: bytes, places: tuple[int, ...]) -> list[Frame]:
    frames = []
    for value in range(40, 40 + VALUES):
        other = bytearray(payload)
        for place in places:
            other[place] = value
        frames.append(Frame(bytes(other), source))
    return frames


def reader(decode: Callable[[Frame], object], frames: list[Frame]) -> Callable[[], None]:
    def read() -> None:
        for frame in frames:
            decode(frame)

    return read


def main() -> None:
    print(f"{'decoder':24} {'source':8} {'frames/s':>10}   of {AIM_PER_S:,}")
    for name, source, payload, places in FRAMES:
        read = reader(named(name).decode, varied(source, bytes.fromhex(payload), places))
        best_s = min(timeit.repeat(read, timer=process_time, number=ROUNDS, repeat=RUNS))
        rate = ROUNDS * VALUES / best_s
        print(f"{name:24} {source:8} {rate:>10,.0f}   {rate / AIM_PER_S:.2f}")


if __name__ == "__main__":
    main()
