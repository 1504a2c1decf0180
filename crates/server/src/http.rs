//! Parts that requests and responses over HTTP share: bodies, parameters, answers.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod compression;
pub(crate) mod parameters;
pub(crate) mod query;
pub(crate) mod response;
