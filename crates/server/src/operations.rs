//! Operations that all entrances share, independent of their wire formats: drafts of orders, requests for actions,
//! permissions in channels, orders and products as JSON, publications.

pub(crate) mod actions;
pub(crate) mod drafts;
pub(crate) mod orders;
pub(crate) mod permission;
pub(crate) mod products;
pub(crate) mod publishing;
