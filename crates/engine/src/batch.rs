//! A batch of commands as the store sees it: what they touch, and what they change.

use ordercast_domain::decide::{RecentClaims, WINDOW, WorkingSet};
use ordercast_domain::ids::WorkerName;
use ordercast_domain::rules::Rules;
use ordercast_store::write::{Decider, Keys, Outlook, OutlookDepth, Writes};

use crate::decided::Decided;
use crate::ids::IdSource;
use crate::intake::Submission;
use crate::node::NodeLease;
use crate::pass::Pass;
use crate::retention::Due;
use crate::{leases, parking};

/// Most timers that one batch sees to; the next batch follows at once.
const MAX_DUE: usize = 512;

/// Ready orders that a claim looks at beyond those it needs while claims come upon orders that a pause or a limit holds
/// back, which most of them may be.
const HELD_BACK_WINDOW: usize = 512;
/// Most orders that one batch lets go of for each pause that was lifted; the next batch follows at once.
const MAX_UNPARKED: usize = 512;

/// What a batch looks at beside its commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) timers: bool,
    pub(crate) leases: bool,
}

pub(crate) struct Batch<'a> {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) idle: Vec<WorkerName>,
    pub(crate) claims: bool,
    pub(crate) rules: &'a Rules,
    pub(crate) ids: &'a mut IdSource,
    /// Whether timers may have come, and leases ended.
    pub(crate) looks: Looks,
    /// Steady time now, in milliseconds.
    pub(crate) steady_ms: i64,
    /// By how much what is stored may look older than it is, in milliseconds: the wall clock was set forward by that.
    pub(crate) set_forward_ms: i64,
    /// Whether claims come upon orders that a pause or a limit holds back: they look further ahead then.
    pub(crate) parks: bool,
    /// What the store said last is to be done.
    pub(crate) outlook: Outlook,
    /// How far the next outlook counts.
    pub(crate) depth: OutlookDepth,
    /// The lease that workers in the process hold their orders under, and whether it must be renewed.
    pub(crate) node: &'a NodeLease,
    pub(crate) renews: bool,
    /// Who had the last claims.
    pub(crate) recent: &'a mut RecentClaims,
    /// Logs whose oldest events are looked at.
    pub(crate) due: &'a [Due],
    pub(crate) decided: Decided,
}

impl Decider for Batch<'_> {
    fn keys(&self) -> Keys {
        let mut keys = Keys::default();
        for submission in &self.submissions {
            submission.command.keys(&mut keys);
        }
        keys.queue.ready = self.most_claims();
        if keys.queue.ready > 0 {
            if self.is_contended() {
                keys.queue.ready += WINDOW;
            }
            if self.parks {
                keys.queue.ready += HELD_BACK_WINDOW;
            }
            keys.queue.in_work = self.rules.concurrency.is_limited();
        }
        keys.queue.limited = self.outlook.limited;
        if self.outlook.lifted_pauses {
            keys.queue.unparked = MAX_UNPARKED;
        }
        if self.looks.timers {
            keys.queue.due = MAX_DUE;
        }
        keys.work.ended = self.looks.leases;
        keys.steady_ms = self.steady_ms;
        keys.outlook = self.depth;
        keys
    }

    fn decide(&mut self, set: WorkingSet, now_ms: i64) -> Writes {
        let (most_claims, is_contended) = (self.most_claims(), self.is_contended());
        self.recent.rewind();
        let mut pass = Pass::new(set, now_ms, (self.rules, self.recent), self.ids, self.submissions.len());
        let may_claim = most_claims > 0;
        if is_contended {
            pass.set.queue.ready.take_turns();
        }
        pass.keeps_lines = self.submissions.iter().any(|submission| submission.command.demand().acts);
        pass.writes.logs.trims = self.due.iter().map(|due| due.at(now_ms - self.set_forward_ms)).collect();
        pass.decided.idle.clone_from(&self.idle);
        pass.come_due();
        // A worker whose heartbeat arrived in time keeps its lease, however long the heartbeat waited for this commit.
        for submission in &self.submissions {
            if let Some(heartbeat) = submission.command.heartbeat() {
                leases::hear(&mut pass, heartbeat);
            }
        }
        if self.renews {
            leases::renew_node(&mut pass, self.node);
        }
        leases::end_expired(&mut pass);
        if self.outlook.lifted_pauses {
            parking::unpark(&mut pass);
        }
        for submission in &mut self.submissions {
            submission.command.decide(&submission.origin, &mut pass);
        }
        // Otherwise neither what is next nor what holds it back was loaded.
        if self.claims && may_claim {
            pass.claim_for_idle(&self.node.id);
            let is_held = pass.decided.node_lease_end_ms.is_some() || !self.node.is_due(self.steady_ms);
            if !pass.decided.claimed.is_empty() && !is_held {
                leases::hold_node(&mut pass, self.node);
            }
        }
        parking::park(&mut pass);
        let (writes, decided) = pass.end();
        self.decided = decided;
        writes
    }
}

impl Batch<'_> {
    /// How many orders this batch may claim.
    fn most_claims(&self) -> usize {
        let (mut external, mut ends, mut acts) = (0, 0, 0);
        for submission in &self.submissions {
            let demand = submission.command.demand();
            external += demand.claims;
            ends += demand.ends;
            acts += usize::from(demand.acts);
        }
        // Workers whose work ends in this batch claim again in the same one.
        let most = external + if self.claims { self.idle.len() + ends } else { 0 };
        // What ends makes room. If leases make more, the next batch uses it.
        self.room().map_or(most, |room| most.min(room + ends + acts))
    }

    /// Whether more orders are ready than this batch may claim: when all are taken, nobody goes before another.
    fn is_contended(&self) -> bool {
        let most = self.most_claims();
        most > 0 && self.outlook.ready > most
    }

    /// How many more may be in work, if there is a limit in all.
    fn room(&self) -> Option<usize> {
        self.rules.concurrency.max_active.map(|most| most.saturating_sub(self.outlook.active))
    }
}
