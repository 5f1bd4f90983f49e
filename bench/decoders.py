"""Frames per second of the Bluetooth SIG decoders on one core, each frame with its whole Sample. Aim: 100,000."""

import timeit
from functools import partial

from drivers.registry import named
from gateway.core.reading import Frame

AIM_PER_S = 100_000
RUNS, FRAMES_PER_RUN = 5, 20_000

# One frame with every field its device sends, from tests/vectors.
FRAMES = (
    ("ble-blood-pressure", "2A35", "1e820053006200e807091e160b175000010000"),
    ("ble-weight-scale", "2A9D", "0e783eea07050c12353601ee002607"),
    ("ble-body-composition", "2A9C", "9803c200df1a9701cc2fca21a811"),
    ("ble-pulse-oximeter", "2A5E", "0facf3bef5e8070b1d170839204022000066e3"),
    ("ble-pulse-oximeter", "2A5F", "1fdef3caf3caf35af5d4f3b2f220010000007ae3"),
    ("ble-glucose", "2A18", "1b0400e407070e0b06055a0277b0f80000"),
    ("ble-thermometer", "2A1C", "066a0100ffe207030a14140002"),
    ("ble-heart-rate", "2A37", "104600048003"),
)


def main() -> None:
    print(f"{'decoder':24} {'source':8} {'frames/s':>10}   of {AIM_PER_S:,}")
    for name, source, payload in FRAMES:
        driver, frame = named(name), Frame(bytes.fromhex(payload), source)
        best_s = min(timeit.repeat(partial(driver.decode, frame), number=FRAMES_PER_RUN, repeat=RUNS))
        rate = FRAMES_PER_RUN / best_s
        print(f"{name:24} {source:8} {rate:>10,.0f}   {rate / AIM_PER_S:.2f}")


if __name__ == "__main__":
    main()
