//! Clients without a library: frames, protocols, and many subscribers on one thread who check what they see.

pub mod crowd;
pub mod dialect;
pub mod fleet;
pub mod frames;
pub mod inflate;
pub mod sequence;
