//! Who asks, what they may do, and where a command comes from.
//!
//! [`principal::Principal`] names who asks and the set of [`rights::Rights`] they hold. [`policy`] decides whether a
//! principal may use a right on a resource: a table that denies what it does not list. [`origin::Origin`] goes with
//! every command: the principal, the address of the client and the trace of the request.
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
