//! What many clients do to a server, and what it costs: each load says whether anything was lost, and its figures.

pub mod chaos;
pub mod fanout;
pub mod floor_process;
pub mod hoard;
pub mod idle;
pub mod paced_orders;
pub mod resume;
pub mod storm;
