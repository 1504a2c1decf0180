//! The transition table: which steps an order can take, who may take them, and what else each does.
//!
//! It is the only place that knows. The code asks it, the answer 409 lists it, the database's checks are compared
//! with it and the documentation is printed from it.

use ordercast_access::{Kind, Principal, Resource, Right, Verdict, judge, may};

use crate::status::Status;

/// What is done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionName {
    /// Begin a scheduled order: its time has come, or now.
    Start,
    /// Move the time of a scheduled order.
    Reschedule,
    /// Give it to a worker.
    Claim,
    /// The work is done.
    Finish,
    /// The work is to be tried again later.
    BackOff,
    /// The work was not begun, or not finished; the attempt is not charged.
    GiveBack,
    /// The work cannot be done.
    Fail,
    /// Keep it for a person.
    Hold,
    /// Let a held order go on.
    Release,
    /// Refuse it after all.
    Reject,
    /// Call it off.
    Cancel,
    /// Try a failed order anew.
    Retry,
    /// Call a failed order done.
    Complete,
    /// Ship lines, or parts of them.
    Fulfil,
    /// Give money back.
    Refund,
    /// Take goods back.
    Return,
}

impl ActionName {
    /// Every action.
    pub const ALL: [Self; 16] = [
        Self::Start,
        Self::Reschedule,
        Self::Claim,
        Self::Finish,
        Self::BackOff,
        Self::GiveBack,
        Self::Fail,
        Self::Hold,
        Self::Release,
        Self::Reject,
        Self::Cancel,
        Self::Retry,
        Self::Complete,
        Self::Fulfil,
        Self::Refund,
        Self::Return,
    ];

    /// The name in addresses, events and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reschedule => "reschedule",
            Self::Claim => "claim",
            Self::Finish => "finish",
            Self::BackOff => "back_off",
            Self::GiveBack => "give_back",
            Self::Fail => "fail",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Complete => "complete",
            Self::Fulfil => "fulfil",
            Self::Refund => "refund",
            Self::Return => "return",
        }
    }

    /// The action of a name, if people may ask for it: the rest is for workers and timers.
    pub fn for_people(name: &str) -> Option<Self> {
        let action = Self::ALL.into_iter().find(|action| action.name() == name)?;
        let is_work = matches!(action, Self::Claim | Self::Finish | Self::BackOff | Self::GiveBack | Self::Fail);
        (!is_work).then_some(action)
    }
}

/// What a step does to the stock that the order holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockEffect {
    /// Nothing.
    Kept,
    /// What is not shipped can be sold again.
    Released,
    /// What is shipped leaves the stock.
    Consumed,
}

/// A set of actors.
type Actors = u8;
const C: Actors = 1;
const A: Actors = 2;
/// Whatever staff may do, an administrator may.
const S: Actors = 4 | A;
const W: Actors = 8;
const Y: Actors = 16;

/// The roles of the table that a principal acts in. People and programs act as staff, or as administrators if they may
/// also call failed orders done.
fn roles(actor: &Principal) -> Actors {
    match actor.kind {
        Kind::System => Y,
        _ if judge(actor, Right::ActOnOrder, Resource::Order(None)) == Verdict::Denied => 0,
        Kind::Customer => C,
        Kind::Worker => W,
        Kind::User | Kind::Key | Kind::Anonymous if may(actor, Right::CompleteOrder, Resource::Order(None)) => A,
        Kind::User | Kind::Key | Kind::Anonymous => S & !A,
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Where the order is.
    pub from: Status,
    /// Where it goes; the same, where a step changes something else.
    pub to: Status,
    /// What is done.
    pub action: ActionName,
    by: Actors,
    /// What happens to the stock it holds.
    pub stock: StockEffect,
    /// Whether the token rises, which fences the worker that has the order.
    pub fences: bool,
    /// Whether who does it must say why.
    pub needs_reason: bool,
    note: &'static str,
}

impl Move {
    const fn new(from: Status, to: Status, by: Actors, action: ActionName, note: &'static str) -> Self {
        Self { from, to, action, by, stock: StockEffect::Kept, fences: false, needs_reason: false, note }
    }

    const fn releasing(self) -> Self {
        Self { stock: StockEffect::Released, ..self }
    }

    const fn consuming(self) -> Self {
        Self { stock: StockEffect::Consumed, ..self }
    }

    const fn fencing(self) -> Self {
        Self { fences: true, ..self }
    }

    const fn explained(self) -> Self {
        Self { needs_reason: true, ..self }
    }

    /// Whether `actor` may take this step.
    pub fn is_open_to(&self, actor: &Principal) -> bool {
        self.by & roles(actor) != 0
    }
}

use ActionName as Do;
use Status::{
    Active, Cancelled, Completed, Failed, Fulfilled, Held, PartiallyFulfilled, Pending, Rejected, Retrying, Scheduled,
};

/// Every step there is. What is not here is a 409.
pub const MOVES: &[Move] = &[
    Move::new(Scheduled, Pending, S | Y, Do::Start, "its time has come, or now"),
    Move::new(Scheduled, Scheduled, C | S, Do::Reschedule, "another time"),
    Move::new(Scheduled, Held, S | Y, Do::Hold, "").explained(),
    Move::new(Scheduled, Cancelled, C | S, Do::Cancel, "").releasing(),
    Move::new(Pending, Active, W, Do::Claim, "one more attempt").fencing(),
    Move::new(Pending, Held, S | Y, Do::Hold, "").explained(),
    Move::new(Pending, Cancelled, C | S, Do::Cancel, "").releasing(),
    Move::new(Retrying, Active, W, Do::Claim, "one more attempt, once its time has come").fencing(),
    Move::new(Retrying, Held, S | Y, Do::Hold, "").explained(),
    Move::new(Retrying, Cancelled, C | S, Do::Cancel, "").releasing(),
    Move::new(Active, Completed, W, Do::Finish, "the work is done"),
    Move::new(Active, Retrying, W | Y, Do::BackOff, "a transient error, or the lease ended").fencing(),
    Move::new(Active, Pending, W | Y, Do::GiveBack, "the attempt is not charged").fencing(),
    Move::new(Active, Failed, W | Y, Do::Fail, "a permanent error, or too many attempts"),
    Move::new(Active, Rejected, W, Do::Reject, "a late rule refused").releasing(),
    Move::new(Active, Held, S | W, Do::Hold, "").explained().fencing(),
    Move::new(Active, Cancelled, S, Do::Cancel, "").releasing().fencing(),
    Move::new(Active, Active, C, Do::Cancel, "only asks for it: the worker is told"),
    Move::new(Held, Pending, S | Y, Do::Release, ""),
    Move::new(Held, Rejected, S | Y, Do::Reject, "also when the time it was held for has passed").releasing(),
    Move::new(Held, Cancelled, C | S, Do::Cancel, "").releasing(),
    Move::new(Failed, Pending, S, Do::Retry, "attempts begin anew").explained(),
    Move::new(Failed, Cancelled, S, Do::Cancel, "").releasing().explained(),
    Move::new(Failed, Completed, A, Do::Complete, "done by other means").explained(),
    Move::new(Completed, PartiallyFulfilled, S | W, Do::Fulfil, "some lines").consuming(),
    Move::new(Completed, Fulfilled, S | W, Do::Fulfil, "all lines").consuming(),
    Move::new(Completed, Cancelled, S, Do::Cancel, "what was captured is given back").releasing(),
    Move::new(Completed, Completed, S, Do::Refund, "at most what was captured"),
    Move::new(PartiallyFulfilled, PartiallyFulfilled, S | W, Do::Fulfil, "some more").consuming(),
    Move::new(PartiallyFulfilled, Fulfilled, S | W, Do::Fulfil, "the rest is shipped or called off").consuming(),
    Move::new(PartiallyFulfilled, PartiallyFulfilled, S, Do::Refund, "at most what was captured"),
    Move::new(PartiallyFulfilled, PartiallyFulfilled, S, Do::Return, "at most what was shipped"),
    Move::new(Fulfilled, Fulfilled, S, Do::Refund, "at most what was captured"),
    Move::new(Fulfilled, Fulfilled, S, Do::Return, "at most what was shipped"),
];

/// The row of a step, if `actor` may take it.
pub fn find(from: Status, to: Status, action: ActionName, actor: &Principal) -> Option<&'static Move> {
    MOVES.iter().find(|row| row.from == from && row.to == to && row.action == action && row.is_open_to(actor))
}

/// What `actor` may do to an order in this status.
pub fn actions_from(from: Status, actor: &Principal) -> Vec<ActionName> {
    let mut actions: Vec<_> =
        MOVES.iter().filter(|row| row.from == from && row.is_open_to(actor)).map(|row| row.action).collect();
    actions.dedup();
    actions
}

/// The table as Markdown, for the documentation.
pub fn markdown() -> String {
    let mut out =
        String::from("| from | action | to | who | stock | token | reason | |\n|---|---|---|---|---|---|---|---|\n");
    for row in MOVES {
        let to = if row.from == row.to { "same" } else { row.to.name() };
        let stock = match row.stock {
            StockEffect::Kept => "",
            StockEffect::Released => "released",
            StockEffect::Consumed => "consumed",
        };
        let names = [(C, "customer"), (S & !A, "staff"), (A, "admin"), (W, "worker"), (Y, "system")];
        let who: Vec<_> = names.iter().filter(|(actor, _)| row.by & actor != 0).map(|(_, name)| *name).collect();
        out.push_str(&format!(
            "| {} | {} | {to} | {} | {stock} | {} | {} | {} |\n",
            row.from.name(),
            row.action.name(),
            who.join(", "),
            if row.fences { "+ 1" } else { "" },
            if row.needs_reason { "required" } else { "" },
            row.note,
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use ordercast_access::Rights;

    use super::*;

    #[test]
    fn nothing_leaves_a_terminal_status_and_every_status_is_reached() {
        for row in MOVES {
            assert!(!row.from.is_terminal() || row.from == row.to, "{row:?}");
            // Cancelled and rejected orders hold no stock, and no other status releases stock.
            let ends = matches!(row.to, Cancelled | Rejected);
            assert_eq!(row.stock == StockEffect::Released, ends, "{row:?}");
            assert!(row.action != Do::Claim || row.fences, "every claim has a token of its own");
        }
        for status in Status::ALL {
            let first = matches!(status, Pending | Scheduled | Held);
            assert!(first || MOVES.iter().any(|row| row.to == status), "{status:?} is never reached");
        }
    }

    #[test]
    fn a_step_stands_in_one_row() {
        for (at, row) in MOVES.iter().enumerate() {
            let same = |other: &&Move| (other.from, other.to, other.action) == (row.from, row.to, row.action);
            assert_eq!(MOVES.iter().position(|other| same(&other)), Some(at), "{row:?}");
        }
    }

    #[test]
    fn only_the_named_actors_move() {
        let (worker, customer) = (Principal::worker("w1".into()), Principal::customer("c_1".into()));
        let (staff, admin) = (Principal::user("u_1".into(), Rights::STAFF), Principal::local());
        for (from, to, action, actor, expected) in [
            (Pending, Active, Do::Claim, &worker, true),
            (Pending, Active, Do::Claim, &admin, false),
            (Completed, Active, Do::Claim, &worker, false),
            (Active, Cancelled, Do::Cancel, &customer, false),
            (Active, Active, Do::Cancel, &customer, true),
            (Failed, Completed, Do::Complete, &staff, false),
            (Failed, Completed, Do::Complete, &admin, true),
            (Completed, Fulfilled, Do::Fulfil, &admin, true),
        ] {
            assert_eq!(find(from, to, action, actor).is_some(), expected, "{from:?} {to:?} {actor}");
        }
        assert_eq!(actions_from(Cancelled, &admin), []);
        assert_eq!(actions_from(Held, &customer), [Do::Cancel]);
        assert_eq!(actions_from(Held, &Principal::anonymous()), []);
        let unnamed = Principal::anonymous().with(Rights::STAFF);
        assert_eq!(actions_from(Held, &unnamed), actions_from(Held, &staff));
        assert_eq!(actions_from(Held, &Principal::system()), [Do::Release, Do::Reject]);
        assert_eq!(actions_from(Fulfilled, &staff), [Do::Refund, Do::Return]);
    }

    #[test]
    fn people_ask_by_name_for_what_is_theirs() {
        for action in ActionName::ALL {
            let by_people = ActionName::for_people(action.name()).is_some();
            let person = |row: &Move| row.action == action && row.by & (C | S) != 0;
            assert_eq!(by_people, MOVES.iter().any(person), "{action:?}");
        }
        assert_eq!(ActionName::for_people("explode"), None);
    }

    /// Writes the table into the documentation with `UPDATE_DOCS=1`.
    #[test]
    fn the_documentation_has_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/orders.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once("<!-- table -->\n").unwrap();
        let (table, after) = rest.split_once("<!-- /table -->").unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let text = format!("{before}<!-- table -->\n{}<!-- /table -->{after}", markdown());
            std::fs::write(path, text).unwrap();
        } else {
            assert_eq!(table, markdown(), "run with UPDATE_DOCS=1");
        }
    }
}
