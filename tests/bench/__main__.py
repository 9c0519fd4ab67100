"""``make bench``: print every ratio of one run."""

import argparse
import os
import sys

from tests.bench import growth, latency, reading, starting
from tests.bench.measure import Spread, Times, ratio
from tests.bench.workstation import ARTIFACTS, bench_station


def main() -> None:
    """Measure, print."""
    options = _options()
    load = os.getloadavg()[0]
    _say(
        f"{len(ARTIFACTS)} artifacts of {options.size_mb} MiB, page cache warm: no medium is read."
    )
    _say(f"{options.rounds} rounds in turns, {os.cpu_count()} processors, load {load:.1f} before.")
    with bench_station(options.size_mb) as station:
        _say("\nRatio of times, ours to theirs; below 1, ours is the faster:")
        _head()
        times = reading.measure_reading(station, options.rounds)
        for ours in (reading.IMPORT, reading.READ_ONCE):
            for theirs in (reading.SEQUENCE, reading.OPENSSL, reading.B2SUM):
                _ratio(times, ours, theirs)
        _ratio(times, reading.VERIFY, reading.OPENSSL)
        paint = starting.measure_first_paint(station, options.rounds)
        _ratio(paint, starting.APP, starting.HELLO, what="first paint")
        _say(f"\nRatio of processor times, {growth.TENTH} times as much to see to:")
        _head()
        grown = growth.measure_growth(options.entries, options.rounds)
        for larger, smaller in grown.pairs:
            _ratio(grown.times, larger, smaller)
        _say(
            f"\nSeconds from a key to the screen while both digests are computed "
            f"({latency.ALLOWED_S} allowed):"
        )
        _head()
        waits = latency.measure_latency(station, options.rounds)
        _row(f"{len(waits)} keys", Spread.of(waits))
        _say(f"{'99 of 100 within':<66} {latency.percentile_99(waits):8.3f}")
        _say("\nSeconds on this machine, for orientation only:")
        _head()
        for name, spent in {**times, **paint}.items():
            _row(name, Spread.of(spent))
        for name, spent in starting.measure_commands(station, options.rounds).items():
            _row(f"{name} (processor time)", Spread.of(spent))
        for larger, _ in grown.pairs:
            _row(f"check a {larger} (processor time)", Spread.of(grown.times[larger]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size-mb", type=int, default=1024, help="size of each artifact, in MiB")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each")
    parser.add_argument("--entries", type=int, default=100_000, help="in the long journal")
    options = parser.parse_args()
    if options.size_mb < 1 or options.rounds < 1 or options.entries < growth.TENTH:
        parser.error(f"sizes and rounds start at 1, entries at {growth.TENTH}")
    return options


def _head() -> None:
    _say(f"{'':<66} {'min':>8} {'median':>8} {'max':>8}")


def _ratio(times: Times, ours: str, theirs: str, *, what: str = "") -> None:
    _row(f"{what or ours} / {theirs}", ratio(times, ours, theirs))


def _row(label: str, spread: Spread) -> None:
    _say(f"{label:<66} {spread}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
