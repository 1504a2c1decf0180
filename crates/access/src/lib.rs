//! Principals, their rights, and the origin of a command.
//!
//! A [`principal::Principal`] is an authenticated user, key, worker or customer with a set of [`rights::Rights`]. [`policy`]
//! decides whether a principal may use a right on a resource: a table that denies what it does not list.
//! [`origin::Origin`] goes with every command: the principal, the address of the client and the trace of the request.
//!
//! The crate is pure: it knows no wire format, no runtime and no database. Tokens, keys and passwords are checked by the
//! server, which makes principals of them.

pub mod origin;
pub mod policy;
pub mod principal;
pub mod rights;
pub mod trace;

pub use origin::{Origin, Party};
pub use policy::{Audience, Resource, Verdict, judge, may};
pub use principal::{Kind, Principal};
pub use rights::{Right, Rights};
pub use trace::Trace;
