//! Open-loop load, benchmarks as ratios to a floor, and the torture test.
