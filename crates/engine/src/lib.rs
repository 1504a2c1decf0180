//! The write side: intake, group commit, encoding of event bodies, work queue, workers, recovery at start.
