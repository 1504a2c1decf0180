//! The resources of HTTP, one file each.

pub(crate) mod actions;
pub(crate) mod adjustments;
pub(crate) mod bulk;
pub(crate) mod events;
pub(crate) mod orders;
pub(crate) mod products;
pub(crate) mod queues;
pub(crate) mod redrive;
pub(crate) mod work;
