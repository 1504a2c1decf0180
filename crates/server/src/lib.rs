//! The entrances of Ordercast: HTTP, WebSockets, Server-Sent Events, pages and metrics.
//!
//! The crate consists of rooms, one folder each. Which room may import from which is declared in
//! `xtask/src/rules/rooms.rs` and held by `cargo xtask tidy`. From the bottom to the top:
//!
//! - [`problem`] maps every error to the wire; [`access`] makes principals from the credentials of clients, and
//!   holds tokens, secrets and settings; [`channels`] knows which channels there are.
//! - [`app`] is the state that all entrances share.
//! - [`operations`] are shared by all entrances and know no wire format: drafts of orders, requests for actions,
//!   permissions, lookups, publications. [`http`] is shared by requests and responses. [`upgrade`] judges and answers the
//!   opening handshake of WebSockets.
//! - [`plain`] is the plain JSON protocol, [`centrifuge`] that of Centrifuge, [`server_api`] lets other programs publish
//!   and see who is there, [`resources`] are the resources of HTTP, one file each, [`pages`] are pages, [`telemetry`]
//!   is health, counts and metrics.
//! - [`contract`] describes all of that as OpenAPI and AsyncAPI.
//! - [`entrance`] accepts connections and looks at each request first: it guards hosts and origins, hands
//!   `POST /orders`, the hot route, straight to its resource, WebSockets to the hub and everything else to the table of
//!   routes. [`serve`] runs it all.

pub mod access;
pub mod app;
mod centrifuge;
pub mod channels;
mod contract;
mod entrance;
mod http;
mod operations;
mod pages;
pub mod plain;
mod problem;
mod resources;
mod server_api;
mod telemetry;
mod upgrade;

pub use app::proxy;
pub use app::{App, CentrifugeConfig, ServerConfig};
pub use entrance::serve;
pub use problem::Problem;
