//! What every entrance can ask for, free of any wire: orders become drafts, actions become requests, orders and the
//! catalogue are looked up as JSON, publications are submitted.

pub(crate) mod actions;
pub(crate) mod drafts;
pub(crate) mod orders;
pub(crate) mod permission;
pub(crate) mod products;
pub(crate) mod publishing;
