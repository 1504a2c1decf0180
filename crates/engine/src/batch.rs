//! A batch of commands as the store sees it: what they touch, and what they change.

use std::sync::Arc;

use ordercast_domain::decide::{RecentClaims, WINDOW, WorkResult, WorkingSet};
use ordercast_domain::draft::Draft;
use ordercast_domain::rules::Rules;
use ordercast_store::write::{Decider, Keys, Writes};

use crate::ids::IdSource;
use crate::intake::{Command, Submission};
use crate::outcome::{Decided, Pauses};
use crate::retention::Due;
use crate::run::Run;

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
    pub(crate) idle: Vec<Arc<str>>,
    pub(crate) claims: bool,
    pub(crate) rules: &'a Rules,
    pub(crate) ids: &'a mut IdSource,
    /// Whether timers may have come, and leases ended.
    pub(crate) looks: Looks,
    /// Steady time now, in milliseconds.
    pub(crate) steady_ms: i64,
    /// By how much what is stored may look older than it is, in milliseconds: the wall clock was set forward by that.
    pub(crate) set_forward_ms: i64,
    /// What is known of pauses.
    pub(crate) pauses: Pauses,
    /// How many orders are ready, as far as is known.
    pub(crate) ready: usize,
    /// How many more may be in work, if there is a limit in all.
    pub(crate) room: Option<usize>,
    /// Whether limits have orders parked.
    pub(crate) has_limited: bool,
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
            match &submission.command {
                Command::Place { draft, .. } => place_keys(draft, &mut keys),
                Command::PutProducts { products, .. } => {
                    keys.skus.extend(products.iter().map(|product| Arc::clone(&product.sku)));
                }
                Command::Adjust { adjustment, .. } => keys.adjustments.push(Arc::clone(&adjustment.id)),
                // It depends on nothing.
                Command::Publish { .. } => {}
                Command::Finish(done) => {
                    for done in done {
                        // Only what is rejected lets go of its stock.
                        match done.result {
                            Some(WorkResult::Rejected { .. }) => keys.lines_of.push(done.seq),
                            _ => keys.order_seqs.push(done.seq),
                        }
                    }
                }
                Command::Recover => keys.unleased = true,
                Command::Act { request, .. } => {
                    keys.acted_on.push(Arc::clone(&request.order_id));
                    keys.action_keys.extend(request.key.clone());
                }
                Command::PatchProduct { sku, .. } => keys.skus.push(Arc::clone(sku)),
                Command::Claim { claim, .. } => {
                    keys.leases.extend(claim.lease.clone());
                }
                Command::Pause { .. } | Command::Resume { .. } => keys.pauses = true,
                Command::Renew { beat, .. } => keys.leases.push(Arc::clone(&beat.lease)),
                Command::Report { report, .. } => {
                    keys.acted_on.push(Arc::clone(&report.order_id));
                    keys.reports.push((Arc::clone(&report.order_id), report.token));
                }
            }
        }
        keys.ready = self.most_claims();
        if keys.ready > 0 {
            if self.is_contended() {
                keys.ready += WINDOW;
            }
            if self.pauses.parks {
                keys.ready += HELD_BACK_WINDOW;
            }
            keys.in_work = self.rules.concurrency.is_limited();
        }
        keys.limited = self.has_limited;
        if self.pauses.end {
            keys.unparked = MAX_UNPARKED;
        }
        if self.looks.timers {
            keys.due = MAX_DUE;
        }
        keys.ended_leases = self.looks.leases;
        keys.steady_ms = self.steady_ms;
        keys
    }

    fn decide(&mut self, set: WorkingSet, now_ms: i64) -> Writes {
        let acts = |submission: &Submission| matches!(submission.command, Command::Act { .. });
        let (most_claims, is_contended) = (self.most_claims(), self.is_contended());
        self.recent.rewind();
        let mut run = Run::new(set, now_ms, (self.rules, self.recent), self.ids, self.submissions.len());
        let may_claim = most_claims > 0;
        run.decided.none_ready = may_claim && run.set.ready.is_empty();
        if is_contended {
            run.set.ready.take_turns();
        }
        run.keeps_lines = self.submissions.iter().any(acts);
        run.writes.trims = self.due.iter().map(|due| due.at(now_ms - self.set_forward_ms)).collect();
        run.decided.idle.clone_from(&self.idle);
        run.timers();
        // Who gave a sign of life in time keeps its lease, however long that waited for this commit.
        for submission in &self.submissions {
            run.hear(&submission.command);
        }
        run.end_leases();
        if self.pauses.end {
            run.unpark();
        }
        for submission in &self.submissions {
            let outcome = run.command(&submission.command);
            run.decided.outcomes.push(outcome);
        }
        // Otherwise neither what is next nor what holds it back was loaded.
        if self.claims && may_claim {
            run.claim();
        }
        run.park();
        let (writes, decided) = run.end();
        self.decided = decided;
        writes
    }
}

impl Batch<'_> {
    /// How many orders this batch may claim.
    fn most_claims(&self) -> usize {
        let (mut external, mut finishing, mut acts) = (0, 0, 0);
        for submission in &self.submissions {
            match &submission.command {
                Command::Claim { claim, .. } => external += claim.most,
                Command::Finish(done) => finishing += done.len(),
                Command::Report { .. } => finishing += 1,
                Command::Act { .. } => acts += 1,
                _ => {}
            }
        }
        // Workers whose work ends in this batch claim again in the same one.
        let most = external + if self.claims { self.idle.len() + finishing } else { 0 };
        // What ends makes room. If leases make more, the next batch uses it.
        self.room.map_or(most, |room| most.min(room + finishing + acts))
    }

    /// Whether more orders are ready than this batch may claim: when all are taken, nobody goes before another.
    fn is_contended(&self) -> bool {
        let most = self.most_claims();
        most > 0 && self.ready > most
    }
}

fn place_keys(draft: &Draft, keys: &mut Keys) {
    keys.order_ids.extend(draft.id.clone());
    keys.idempotency.extend(draft.key.clone());
    // What this process knows of the catalogue is only a hint: the store passes over SKUs while it has no products.
    let lines = draft.details.lines.iter().filter(|line| !line.plain);
    keys.skus.extend(lines.map(|line| Arc::from(line.sku.as_str())));
}
