//! The entrances of Ordercast: HTTP, WebSockets, Server-Sent Events, pages and metrics.
//!
//! [`serve`] runs it all. [`acceptor`] accepts connections; [`direct`] lets WebSockets in whose request came whole; [`front`] looks at each request first: it guards hosts and origins, answers
//! `POST /orders` itself, for that is the hot route, hands WebSockets to the hub and everything else to the
//! routes of [`routes`]. [`session`] is the codec of the plain JSON protocol, [`centrifuge`] that of Centrifuge, and
//! [`api`] lets other programs publish and see who is there. [`problem`] maps every error to the wire.

mod acceptor;
pub mod access;
mod actions;
mod actor;
mod adjustments;
mod admission;
mod api;
pub mod app;
mod begun;
mod body;
mod body_room;
mod bulk;
mod centrifuge;
pub mod channels;
mod contract;
mod direct;
mod drafts;
mod echo;
mod error_pages;
mod events;
mod front;
mod guard;
mod idempotency;
mod listener;
mod metrics;
mod observe;
mod orders;
mod pages;
mod past;
mod problem;
mod products;
mod publishing;
mod query;
mod queues;
mod redrive;
mod routes;
pub mod secret;
pub mod serve;
pub mod session;
mod snapshot;
mod snapshot_pages;
mod suggestions;
mod ticker;
pub mod tokens;
mod upgrade;
mod work;

pub use app::{App, CentrifugeConfig, ServerConfig};
pub use problem::Problem;
