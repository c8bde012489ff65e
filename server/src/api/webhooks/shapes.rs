//! Endpoints and messages, as clients see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::{moment, now_ms};
use crate::events;
use crate::store::webhooks;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
pub enum EventName {
    /// A submission has its answer, or another one than before, or gets none. `data` has `id`,
    /// `state`, `verdict`, `payable_s` and `provisional`.
    #[serde(rename = "submission.checked")]
    SubmissionChecked,
    /// There is a certificate of a submission. `data` has `id` and `certificate_sha256`.
    #[serde(rename = "certificate.issued")]
    CertificateIssued,
    /// A certificate has taken the place of another one. `data` has `id`, `certificate_sha256` of
    /// the earlier one, and `superseded_by_sha256`.
    #[serde(rename = "certificate.superseded")]
    CertificateSuperseded,
}

impl EventName {
    /// All events.
    pub(super) const ALL: [EventName; 3] = [
        EventName::SubmissionChecked,
        EventName::CertificateIssued,
        EventName::CertificateSuperseded,
    ];

    /// Its name in requests and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            EventName::SubmissionChecked => events::CHECKED,
            EventName::CertificateIssued => events::ISSUED,
            EventName::CertificateSuperseded => events::SUPERSEDED,
        }
    }
}

/// Whether messages are sent to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}

/// An endpoint that is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// The address, which has to be public and begin with `https://`.
    #[schema(min_length = 1, max_length = 2000)]
    pub url: String,
    /// What it is to get; everything unless told otherwise.
    #[schema(min_items = 1)]
    pub events: Option<Vec<EventName>>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
}

/// What is to be another thing about an endpoint.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// The address.
    #[schema(min_length = 1, max_length = 2000)]
    pub url: Option<String>,
    /// What it is to get.
    #[schema(min_items = 1)]
    pub events: Option<Vec<EventName>>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Whether messages are sent to it; what waits for an endpoint when it is disabled is not sent.
    pub state: Option<WebhookState>,
}

/// An endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// The address.
    pub url: String,
    /// What it gets.
    pub events: Vec<EventName>,
    /// What people call it.
    pub name: Option<String>,
    /// Whether messages are sent to it.
    pub state: WebhookState,
    /// Why it is disabled.
    pub reason: Option<String>,
    /// Until when messages are signed with the secret before this one too, in RFC 3339.
    pub old_secret_until: Option<String>,
    /// When it was made, in RFC 3339.
    pub made_at: String,
}

/// An endpoint with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecretWebhook {
    /// The endpoint.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The secret that messages are signed with, as Standard Webhooks 1.0.0 says: it is shown this
    /// once.
    pub secret: String,
}

impl From<webhooks::Webhook> for Webhook {
    fn from(of: webhooks::Webhook) -> Webhook {
        let is_old_valid = of.old_secret.is_some() && of.old_until_ms > now_ms();
        Webhook {
            id: of.id,
            url: of.url,
            events: EventName::ALL
                .into_iter()
                .filter(|event| of.events.split(' ').any(|name| name == event.name()))
                .collect(),
            name: of.name,
            state: if of.state == "enabled" {
                WebhookState::Enabled
            } else {
                WebhookState::Disabled
            },
            reason: of.reason,
            old_secret_until: is_old_valid.then(|| moment(of.old_until_ms)),
            made_at: moment(of.made_ms),
        }
    }
}

/// What has become of a message to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried, or tried again later.
    Waiting,
    /// The endpoint has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

/// A message to an endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The header `webhook-id`, the same however often it is sent.
    pub message: String,
    /// The event.
    #[serde(rename = "type")]
    pub kind: String,
    /// What has become of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u64,
    /// The HTTP status of the last answer.
    pub status: Option<u64>,
    /// What went wrong last.
    pub reason: Option<String>,
    /// When it is tried next, in RFC 3339.
    pub next_at: Option<String>,
    /// When the message was made, in RFC 3339.
    pub made_at: String,
}

impl From<webhooks::Delivery> for Delivery {
    fn from(of: webhooks::Delivery) -> Delivery {
        let state = match &*of.state {
            "waiting" => DeliveryState::Waiting,
            "delivered" => DeliveryState::Delivered,
            _ => DeliveryState::Failed,
        };
        Delivery {
            id: of.id,
            message: of.message,
            kind: of.kind,
            state,
            attempts: of.attempts,
            status: of.status,
            reason: of.reason,
            next_at: (state == DeliveryState::Waiting).then(|| moment(of.next_ms)),
            made_at: moment(of.made_ms),
        }
    }
}
