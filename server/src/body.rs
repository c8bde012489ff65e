//! Request bodies: they must not stall, and a client that still sends is not cut off.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::app::App;
use crate::problem::Problem;

/// Fails request bodies that stall.
pub(crate) async fn watched(State(app): State<App>, request: Request, next: Next) -> Response {
    let idle = Duration::from_secs(app.config.limits.idle_seconds.max(1));
    let expects = request.headers().contains_key(header::EXPECT);
    next.run(request.map(|body| Body::new(Watched::new(body, idle, expects))))
        .await
}

/// A body that fails with [`Idle`] when its client has stalled for too long.
struct Watched {
    body: Body,
    idle: Duration,
    /// Remaining time to wait for the next [`STEP`] bytes.
    patience: Duration,
    bytes: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Whether the client waits for permission to send its body.
    awaits_consent: bool,
    ended: bool,
}

impl Watched {
    fn new(body: Body, idle: Duration, expects: bool) -> Watched {
        Watched {
            body,
            idle,
            patience: idle,
            bytes: 0,
            waiting: None,
            awaits_consent: expects,
            ended: false,
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        this.awaits_consent = false;
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            // Only time spent waiting for the client counts.
            let patience = this.patience;
            let (_, sleep) = this
                .waiting
                .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
            ready!(sleep.as_mut().poll(cx));
            this.ended = true;
            return Poll::Ready(Some(Err(Idle.into())));
        };
        if let Some((since, _)) = this.waiting.take() {
            this.patience = this.patience.saturating_sub(since.elapsed());
        }
        match next {
            Some(Ok(frame)) => {
                this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.bytes >= STEP {
                    (this.bytes, this.patience) = (0, this.idle);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.ended = true;
                Poll::Ready(Some(Err(error.into())))
            }
            None => {
                this.ended = true;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client that still sends an unwanted body can only read the answer if the connection stays open
/// for a while. If it were closed at once, the answer would be lost.
impl Drop for Watched {
    fn drop(&mut self) {
        if self.ended || self.awaits_consent || self.body.is_end_stream() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut rest = std::mem::take(&mut self.body).into_data_stream();
        runtime.spawn(tokio::time::timeout(LINGER, async move {
            let mut bytes = 0;
            while let Some(Ok(chunk)) = rest.next().await {
                bytes += chunk.len();
                if bytes > LINGER_BYTES {
                    break;
                }
            }
        }));
    }
}

/// The error that the client has stalled.
#[derive(Clone, Copy, Debug)]
struct Idle;

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body stalled")
    }
}

impl Error for Idle {}

/// Whether an error or one of its causes is a stalled client.
pub(crate) fn is_idle(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Idle>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// The answer to a client whose body has stalled.
pub(crate) fn idle() -> Problem {
    let detail =
        "the body came too slowly; send the rest, or the request again, over a faster connection";
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "The request stalled",
        detail,
    )
}

/// The answer to a client whose body is incomplete, if it still listens.
pub(crate) fn broken() -> Problem {
    Problem::invalid("the body ended early; send the rest, or the request again")
}

/// Number of bytes that restarts the patience. With less, a client could hold a connection with a
/// byte now and then. At 60 s this is 68 bytes a second.
const STEP: u64 = 4096;

/// How long an unwanted body is still read.
const LINGER: Duration = Duration::from_secs(5);

/// How many bytes of an unwanted body are still read.
const LINGER_BYTES: usize = 8 << 20;
