//! Sends messages to the endpoints of tenants, by Standard Webhooks 1.0.0.
//!
//! Messages and their deliveries are written in the transactions of what they tell; here they are
//! sent, with growing pauses for three days, until the endpoint takes them. Each endpoint has a few
//! at a time, so that a slow one does not hold up the others. A message has the same id however
//! often it comes: what was sent just before the service was killed is sent again.

mod dispatch;
mod send;
pub mod signature;
pub mod targets;

pub use dispatch::run;
pub use send::resolved;
