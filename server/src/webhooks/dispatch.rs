//! Decides which message is sent when.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use uniq::ledger::Mode;

use super::send::{Outgoing, send};
use super::signature::sign;
use crate::app::App;
use crate::database::now_ms;
use crate::store::webhooks::{self, Attempt, Delivery, Webhook};

/// Sends due messages until the service stops.
pub async fn run(app: App) {
    // Hosts may share a data folder, so the name is unique to this process. Its unfinished
    // deliveries are sent when their leases have expired.
    let worker: Arc<str> = crate::store::new_id().into();
    let mut changed = app.changed.subscribe();
    let freed = Arc::new(Notify::new());
    let mut sending: JoinSet<()> = JoinSet::new();
    let busy = Busy::default();
    let (mut forgot_ms, mut next_look) = (0, tokio::time::Instant::now());
    while !app.stopping.load(Ordering::Relaxed) {
        while sending.try_join_next().is_some() {}
        match claimed(&app, &busy, &worker).await {
            Ok(claimed) => {
                for (to, delivery) in claimed {
                    let (app, worker, place) =
                        (app.clone(), worker.clone(), busy.take(&to, &freed));
                    sending.spawn(async move {
                        deliver(&app, &worker, &to, &delivery).await;
                        drop(place);
                    });
                }
            }
            Err(problem) => {
                tracing::error!(detail = problem.detail, "webhooks cannot be sent now");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
        if now_ms().saturating_sub(forgot_ms) > FORGET_EVERY.as_millis() as u64 {
            forgot_ms = now_ms();
            let before = forgot_ms.saturating_sub(KEPT.as_millis() as u64);
            let _ = app
                .database
                .write(move |tables| webhooks::forget(tables, before))
                .await;
        }
        // Limits how often it looks, however much happens.
        tokio::time::sleep_until(next_look).await;
        next_look = tokio::time::Instant::now() + LOOK_LEAST;
        tokio::select! {
            _ = changed.recv() => {}
            () = freed.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    // Messages in progress may finish. Unfinished ones are sent again when their leases expire.
    let _ = tokio::time::timeout(STOPPING, async {
        while sending.join_next().await.is_some() {}
    })
    .await;
}

/// Messages in progress, by endpoint and by tenant.
#[derive(Clone, Debug, Default)]
struct Busy(Arc<std::sync::Mutex<HashMap<String, usize>>>);

impl Busy {
    /// How many more messages may be sent to an endpoint now.
    fn room(&self, webhook: &str, tenant: &str) -> usize {
        let busy = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let of = |key: &str| busy.get(key).copied().unwrap_or(0);
        let most = [
            (webhook, OF_ENDPOINT),
            (&*whole(tenant), OF_TENANT),
            (ALL, OF_ALL),
        ];
        most.into_iter()
            .map(|(key, most)| most.saturating_sub(of(key)))
            .min()
            .unwrap_or(0)
    }

    /// Counts a message to an endpoint until the returned place is dropped.
    fn take(&self, to: &Webhook, freed: &Arc<Notify>) -> Place {
        self.count(&to.id, &to.tenant);
        Place {
            busy: self.clone(),
            webhook: to.id.clone(),
            tenant: to.tenant.clone(),
            freed: freed.clone(),
        }
    }

    fn count(&self, webhook: &str, tenant: &str) {
        let mut busy = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for key in [webhook, &*whole(tenant), ALL] {
            *busy.entry(key.to_owned()).or_default() += 1;
        }
    }

    /// A copy for planning.
    fn copy(&self) -> Busy {
        let busy = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Busy(Arc::new(std::sync::Mutex::new(busy.clone())))
    }
}

/// A message in progress.
struct Place {
    busy: Busy,
    webhook: String,
    tenant: String,
    freed: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = self
            .busy
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for key in [&*self.webhook, &*whole(&self.tenant), ALL] {
            if let Some(count) = busy.get_mut(key) {
                *count -= 1;
            }
        }
        busy.retain(|_, count| *count > 0);
        drop(busy);
        self.freed.notify_one();
    }
}

/// The key that counts all endpoints of a tenant; it differs from every id.
fn whole(tenant: &str) -> String {
    format!("all of {tenant}")
}

/// Claims the deliveries that may be sent now.
async fn claimed(
    app: &App,
    busy: &Busy,
    worker: &Arc<str>,
) -> Result<Vec<(Webhook, Delivery)>, crate::problem::Problem> {
    let (worker, busy) = (worker.clone(), busy.copy());
    let lease = Duration::from_secs(app.config.webhooks.time_out_seconds) + LEASE_BEYOND;
    app.database
        .run(move |ledger| {
            let now = now_ms();
            let due = ledger.transaction(Mode::Read, |tables| webhooks::due(tables, now))?;
            let due: Vec<_> = due
                .into_iter()
                .filter(|(id, tenant)| busy.room(id, tenant) > 0)
                .collect();
            if due.is_empty() {
                return Ok(Vec::new());
            }
            let claimed = ledger.transaction(Mode::Write, |tables| {
                let mut all = Vec::new();
                // One each per round, so that an endpoint with many messages does not delay one
                // with few.
                for _ in 0..OF_ENDPOINT {
                    for (id, tenant) in &due {
                        if busy.room(id, tenant) > 0 {
                            for (to, delivery) in
                                webhooks::claim(tables, id, 1, &worker, lease, now)?
                            {
                                busy.count(id, tenant);
                                all.push((to, delivery));
                            }
                        }
                    }
                }
                Ok(all)
            })?;
            Ok(claimed)
        })
        .await
}

async fn deliver(app: &App, worker: &Arc<str>, to: &Webhook, delivery: &Delivery) {
    let now = now_ms();
    let timestamp_s = now / 1_000;
    let old = to.old_secret.as_deref().filter(|_| now < to.old_until_ms);
    let secrets = [Some(&*to.secret), old].into_iter().flatten();
    let message = Outgoing {
        url: to.url.clone(),
        id: delivery.message.clone(),
        timestamp_s,
        signature: sign(secrets, &delivery.message, timestamp_s, &delivery.body),
        body: delivery.body.clone(),
    };
    let answered = send(&message, &app.config.webhooks).await;
    let is_gone = answered.status == Some(410);
    let now = now_ms();
    let again_ms = answered.reason.as_ref().filter(|_| !is_gone).and_then(|_| {
        let first = Duration::from_secs(app.config.webhooks.first_retry_seconds);
        let pause =
            pause(first, delivery.attempts, random()).max(answered.retry_after.unwrap_or_default());
        let next = now + pause.as_millis() as u64;
        // If no pause fits, one last attempt comes at the very end.
        let next = if next >= delivery.until_ms && now + LAST_BEFORE_MS < delivery.until_ms {
            delivery.until_ms - 1
        } else {
            next
        };
        (next < delivery.until_ms).then_some(next)
    });
    let outcome = if answered.reason.is_none() {
        "delivered"
    } else {
        "failed"
    };
    metrics::counter!("uniq_webhook_attempts_total", "outcome" => outcome).increment(1);
    tracing::info!(
        webhook = to.id,
        message = delivery.message,
        status = answered.status,
        outcome,
        "a message was sent"
    );
    let attempt = Attempt {
        status: answered.status,
        reason: answered.reason,
        again_ms,
    };
    let (id, webhook, worker) = (delivery.id.clone(), to.id.clone(), worker.clone());
    let kept = app.database.write(move |tables| {
        webhooks::attempted(tables, &id, &worker, &attempt, now)?;
        if is_gone {
            webhooks::disable(
                tables,
                &webhook,
                "the endpoint answered that it is gone",
                now,
            )?;
        }
        Ok(())
    });
    if let Err(problem) = kept.await {
        tracing::error!(
            detail = problem.detail,
            "a delivery cannot be recorded; it will be sent again"
        );
    }
}

/// The pause after `attempts` failed attempts: growing multiples of the first pause, plus or minus
/// up to a fifth, so that messages that failed together are not retried together. `random` is in
/// 0..=1.
fn pause(first: Duration, attempts: u64, random: f64) -> Duration {
    let step = STEPS
        .get(attempts as usize)
        .or(STEPS.last())
        .copied()
        .unwrap_or(1);
    (first * step).min(PAUSE_MAX).mul_f64(0.8 + 0.4 * random)
}

fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without a random number, the pause is of average length.
    getrandom::fill(&mut bytes).map_or(0.5, |()| {
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    })
}

/// Pauses between attempts, in units of the first one. With 5 s, these are 5 s, 30 s, 2 min, 10
/// min, 30 min, 1 h, 2 h, 4 h, 8 h and then 12 h.
const STEPS: [u32; 10] = [1, 6, 24, 120, 360, 720, 1_440, 2_880, 5_760, 8_640];

/// Maximum pause.
const PAUSE_MAX: Duration = Duration::from_secs(12 * 3600);

/// An attempt within this time before the end, in milliseconds, is the last one.
const LAST_BEFORE_MS: u64 = 3_600_000;

/// Maximum number of messages in progress to one endpoint.
const OF_ENDPOINT: usize = 2;

/// Maximum number of messages in progress to endpoints of one tenant.
const OF_TENANT: usize = 8;

/// Maximum number of all messages in progress.
const OF_ALL: usize = 64;

/// The key that counts all messages; no tenant and no id is empty.
const ALL: &str = "";

/// How much longer the lease of a delivery lasts than the time limit of its attempt.
const LEASE_BEYOND: Duration = Duration::from_secs(30);

/// Time between two looks for due messages.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Minimum time between two looks.
const LOOK_LEAST: Duration = Duration::from_millis(50);

/// Pause after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// How long finished deliveries are stored.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Time between two deletions of old deliveries.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// How long a stopping service waits for answers.
const STOPPING: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_fill_three_days() {
        let first = Duration::from_secs(5);
        let pauses: Vec<u64> = (0..13)
            .map(|attempts| pause(first, attempts, 0.5).as_secs())
            .collect();
        assert_eq!(pauses[..4], [5, 30, 120, 600]);
        assert!(
            pauses.windows(2).all(|pair| pair[0] <= pair[1]),
            "{pauses:?}"
        );
        assert!(pauses.iter().sum::<u64>() > 60 * 3600, "{pauses:?}");
        for attempts in 0..40 {
            let (least, most) = (pause(first, attempts, 0.0), pause(first, attempts, 1.0));
            assert!(least < most && most <= PAUSE_MAX.mul_f64(1.2), "{attempts}");
        }
    }

    #[test]
    fn an_endpoint_and_a_tenant_do_not_take_what_others_need() {
        let (busy, freed) = (Busy::default(), Arc::new(Notify::new()));
        let to = |id: &str, tenant: &str| Webhook {
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            url: String::new(),
            name: None,
            events: String::new(),
            secret: String::new(),
            old_secret: None,
            old_until_ms: 0,
            state: "enabled".to_owned(),
            reason: None,
            made_ms: 0,
        };
        let slow: Vec<Place> = (0..OF_ENDPOINT)
            .map(|_| busy.take(&to("slow", "a"), &freed))
            .collect();
        assert_eq!(
            (busy.room("slow", "a"), busy.room("other", "a")),
            (0, OF_ENDPOINT)
        );
        let more: Vec<Place> = (0..OF_TENANT)
            .map(|number| busy.take(&to(&number.to_string(), "a"), &freed))
            .collect();
        assert_eq!(
            (busy.room("other", "a"), busy.room("other", "b")),
            (0, OF_ENDPOINT)
        );
        drop((slow, more));
        assert_eq!(
            (busy.room("slow", "a"), busy.room("all of a", "c")),
            (OF_ENDPOINT, OF_ENDPOINT)
        );
    }
}
