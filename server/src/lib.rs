//! The intake service of uniq: takes clips over HTTP, has them checked, keeps the ledger, and shows
//! reviewers why.
//!
//! ```text
//! HTTP -> api -> accept -> database (ledger, submissions, jobs, messages) -> worker -> answer, certificate
//!                                                                        \-> webhooks
//! ```
//!
//! What has been acknowledged is in the database and on disk: a service that is killed goes on
//! where it was. Blocking work (the database, hashing, decoding) is done on threads of its own.

pub mod accept;
pub mod answer;
pub mod api;
pub mod app;
pub mod auth;
pub mod backup;
mod body;
pub mod config;
mod connections;
pub mod corpus;
pub mod database;
pub mod demo;
pub mod events;
pub mod health;
pub mod idempotency;
pub mod limits;
pub mod oidc;
pub mod problem;
pub mod ray;
mod recheck;
pub mod review;
pub mod service;
pub mod store;
mod tls;
mod upkeep;
pub mod uploads;
pub mod webhooks;
pub mod worker;

pub use config::Config;
