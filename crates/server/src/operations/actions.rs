//! Reads from a body what is to be done to an order: over HTTP, in frames and by calls.

use std::sync::Arc;

use ordercast_access::{Principal, Resource, Right, Verdict, judge};
use ordercast_domain::Violation;
use ordercast_domain::decide::{Action, LineQuantity, Request};
use ordercast_domain::transition::ActionName;
use ordercast_protocol::action::{ActionRequest, parse_action};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::intake::Form;

use crate::problem::Problem;

/// What a frame or a call asks to be done: it names order and action itself.
pub(crate) fn request_of(body: &[u8], action: Option<&str>, principal: &Principal) -> Result<Request, Problem> {
    // A call names the action by its method, and so gives it here.
    let asked = parse_action(body, if action.is_some() { Form::Call } else { Form::Frame })?;
    let wrong = |pointer: &str, detail: &str| {
        Problem::violations(ErrorCode::InvalidAction, vec![Violation::new(pointer, detail)])
    };
    let missing = |pointer: &str| wrong(pointer, "is required");
    let name = match (action, asked.action.as_deref()) {
        (Some(name), Some(other)) if name != other => {
            return Err(wrong("/action", &format!("differs from the method order.{name}")));
        }
        (name, own) => name.or(own).ok_or_else(|| missing("/action"))?,
    };
    check_acting(principal)?;
    let version = asked.version.map(|version| vec![u32::try_from(version).unwrap_or(0)]);
    Ok(Request {
        order_id: asked.id.as_deref().ok_or_else(|| missing("/id"))?.into(),
        action: action_of(name, &asked)?,
        reason: asked.reason.as_deref().map(Arc::from),
        if_versions: version,
        key: asked.idempotency_key.as_deref().map(Arc::from),
    })
}

/// Refuses a principal that may act on no order at all. The owner of the order and the open steps are checked when the
/// order is decided.
pub(crate) fn check_acting(principal: &Principal) -> Result<(), Problem> {
    match judge(principal, Right::ActOnOrder, Resource::Order(None)) {
        Verdict::Allowed | Verdict::IfOwn => Ok(()),
        Verdict::Denied => Err(Problem::new(ErrorCode::PermissionDenied, "this is for customers with an id")),
    }
}

/// The action of a name, with what it takes of the request.
pub(crate) fn action_of(name: &str, asked: &ActionRequest<'_>) -> Result<Action, Problem> {
    let Some(name) = ActionName::for_people(name) else {
        let known: Vec<_> = ActionName::ALL
            .into_iter()
            .filter_map(|action| ActionName::for_people(action.name()))
            .map(ActionName::name)
            .collect();
        return Err(Problem::new(ErrorCode::NotFound, format!("known actions are {}", known.join(", "))));
    };
    check_fields(name, asked)?;
    let line = |&(line, quantity): &(u32, i64)| LineQuantity { line, quantity };
    let lines = asked.lines.as_ref().map(|lines| lines.iter().map(line).collect());
    let amount = asked.amount.map(Arc::from);
    Ok(match name {
        ActionName::Hold => Action::Hold { until_ms: asked.until_ms },
        ActionName::Release => Action::Release,
        ActionName::Reject => Action::Reject,
        ActionName::Retry => Action::Retry,
        ActionName::Complete => Action::Complete,
        ActionName::Start => Action::Start,
        ActionName::Reschedule => {
            let at_ms = asked.run_at_ms.ok_or_else(|| {
                Problem::violations(ErrorCode::InvalidAction, vec![Violation::new("/run_at", "is required")])
            })?;
            Action::Reschedule { at_ms }
        }
        ActionName::Fulfil => Action::Fulfil { lines, closes: asked.closes },
        ActionName::Refund => Action::Refund { amount },
        ActionName::Return => Action::Return { lines, amount, restocks: asked.restocks },
        // The others are not for people.
        _ => Action::Cancel,
    })
}

/// A field that belongs to another action is refused: a client that sends `lines` with `cancel` expects something
/// that does not happen.
fn check_fields(name: ActionName, asked: &ActionRequest<'_>) -> Result<(), Problem> {
    let fields: [(&str, bool, &[ActionName]); 6] = [
        ("/lines", asked.lines.is_some(), &[ActionName::Fulfil, ActionName::Return]),
        ("/amount", asked.amount.is_some(), &[ActionName::Refund, ActionName::Return]),
        ("/until", asked.until_ms.is_some(), &[ActionName::Hold]),
        ("/run_at", asked.run_at_ms.is_some(), &[ActionName::Reschedule]),
        ("/close", asked.closes, &[ActionName::Fulfil]),
        ("/restock", asked.restocks, &[ActionName::Return]),
    ];
    let foreign = fields.into_iter().filter(|(_, is_given, takers)| *is_given && !takers.contains(&name));
    let wrong: Vec<_> =
        foreign.map(|(pointer, ..)| Violation::new(pointer, format!("is not of {}", name.name()))).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Problem::violations(ErrorCode::InvalidAction, wrong)) }
}
