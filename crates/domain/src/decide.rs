//! Deciding commands: state, command and time in; the changed state or a refusal out.
//!
//! A batch loads the [`WorkingSet`] it touches and decides its commands one after the other on it. A refused
//! command changes nothing, so that a bad order cannot sink its neighbours.

mod act;
mod catalogue;
mod consume;
mod fulfil;
mod in_work;
mod limits;
mod money;
mod pause;
mod place;
mod pricing;
mod refusal;
mod request;
mod set;
mod step;
mod stock;
mod timer;
mod window;
mod work;

pub use crate::draft::MAX_REASON_BYTES;
pub use act::{Acted, act};
pub use catalogue::{adjust, patch_product, put_product};
pub use consume::{acquire, move_cursor};
pub use in_work::InWork;
pub use limits::follow;
pub use pause::{MAX_PAUSES, pause, resume, unpark};
pub use place::{Placement, place};
pub use refusal::Refusal;
pub use request::{Action, LineQuantity, Request};
pub use set::{
    ActionRecord, CatalogueSet, ConsumerSet, KeyRecord, MoneySet, OrderLines, OrderSet, QueueSet, WorkSet, WorkingSet,
};
pub use step::Step;
pub use timer::{Due, come_due};
pub use window::{RecentClaims, WINDOW, Window};
pub use work::{Reported, WorkResult, claim, end_lease, finish, report, requeue};
