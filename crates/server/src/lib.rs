//! The entrances of Ordercast: HTTP, WebSockets, Server-Sent Events, pages and metrics.
//!
//! [`serve`] accepts connections. [`front`] looks at each request first: it guards hosts and origins, answers
//! `POST /orders` itself, for that is the hot route, hands WebSockets to the hub and everything else to the
//! routes of [`routes`]. [`session`] is the codec of the plain JSON protocol. [`problem`] maps every error to
//! the wire.

mod adjustments;
pub mod app;
mod events;
mod front;
mod guard;
mod metrics;
mod observe;
mod orders;
mod pages;
mod problem;
mod products;
mod routes;
pub mod serve;
pub mod session;
mod ticker;
mod upgrade;

pub use app::{App, ServerConfig};
pub use problem::Problem;
