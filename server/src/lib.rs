//! The intake service of uniq: receives clips over HTTP, checks them, keeps the ledger, and shows
//! reviewers the evidence.
//!
//! ```text
//! HTTP -> api -> accept -> database (ledger, submissions, jobs, messages)
//!                          database -> worker -> answer, certificate
//!                          database -> webhooks
//! ```
//!
//! Everything acknowledged is in the database and on disk, so a killed service continues where it
//! was. Blocking work (the database, hashing, decoding) runs on separate threads.

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
