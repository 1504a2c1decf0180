//! Ending, or giving back, the work of an external worker on one order.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal, Reported, WorkResult};
use ordercast_domain::ids::{LeaseId, OrderId};
use ordercast_store::write::Keys;

use super::{Changed, Command, Demand, ROW_BYTES};
use crate::pass::Pass;

/// How the work of an external worker on an order ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The order's id.
    pub order_id: OrderId,
    /// The lease it was claimed under.
    pub lease: LeaseId,
    /// The token it was claimed with.
    pub token: u32,
    /// `None` gives it back unworked.
    pub result: Option<WorkResult>,
}

pub(crate) struct ReportWork {
    pub(crate) report: Report,
}

impl Command for ReportWork {
    type Decided = Changed;
    type Answer = Changed;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.orders.acted_on.push(self.report.order_id.clone());
        keys.work.reports.push((self.report.order_id.clone(), self.report.token));
    }

    fn demand(&self) -> Demand {
        Demand { ends: 1, ..Demand::default() }
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Changed, Refusal> {
        let Report { order_id, lease, token, result } = &self.report;
        let seq = *pass.set.orders.by_id.get(order_id).ok_or(Refusal::NotFound)?;
        let (by, spread) = ((seq, lease, *token), (&pass.rules.retries, pass.ids.dice()));
        match decide::report(&mut pass.set, by, result.as_ref(), spread, pass.now_ms)? {
            Reported::Step(step, report) => {
                pass.writes.work.reports.push(report);
                pass.step(&step);
                Ok(Changed { order: Box::new(step.order), replayed: false })
            }
            Reported::Repeated(order) => Ok(Changed { order, replayed: true }),
        }
    }
}
