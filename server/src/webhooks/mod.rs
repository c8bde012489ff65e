//! Sends messages to the endpoints of tenants, by Standard Webhooks 1.0.0.
//!
//! Messages and their deliveries are stored in the transactions of their events. This module sends
//! them, with growing pauses for three days, until the endpoint accepts them. Each endpoint has
//! only a few messages in progress, so that a slow one does not delay others. A message keeps its
//! id: one that was sent just before the service was killed is sent again.

mod dispatch;
mod send;
pub mod signature;
pub mod targets;

pub use dispatch::run;
pub use send::resolved;
