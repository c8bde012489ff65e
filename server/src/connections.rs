//! Connections of clients, limited in number and time.
//!
//! The head of a request must arrive in time. A connection that waits for its next request is
//! closed after the same time. A client that does not read its answer is dropped.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use tower::ServiceExt as _;

use crate::config::LimitsConfig;

/// Serves until `stop` completes. Running requests then get some time to finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &LimitsConfig,
    stop: impl Future<Output = ()> + Send,
) {
    let most = limits
        .connections
        .clamp(1, u32::MAX as usize)
        .min(Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(most));
    let (closing, closed) = watch::channel(());
    let patience = Patience {
        head: Duration::from_secs(limits.header_seconds.max(1)),
        idle: Duration::from_secs(limits.idle_seconds.max(1)),
    };
    let mut stop = pin!(stop);
    loop {
        // Further clients wait in the system's queue.
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match (accepted, permit) {
            (Ok((stream, _)), Ok(permit)) => {
                tokio::spawn(connection(
                    stream,
                    router.clone(),
                    patience,
                    closed.clone(),
                    permit,
                ));
            }
            (Err(error), _) if !is_of_the_client(&error) => {
                tracing::error!(%error, "connections cannot be accepted");
                tokio::time::sleep(AFTER_ERROR).await;
            }
            _ => {}
        }
    }
    drop(listener);
    drop(closing);
    let all = permits.acquire_many(most as u32);
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
}

#[derive(Clone, Copy, Debug)]
struct Patience {
    head: Duration,
    idle: Duration,
}

async fn connection(
    stream: TcpStream,
    router: Router,
    patience: Patience,
    mut closed: watch::Receiver<()>,
    permit: OwnedSemaphorePermit,
) {
    // Answers are small and should be sent at once.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Patient {
        stream,
        idle: patience.idle,
        waiting: None,
    });
    let service = TowerToHyperService::new(
        router.map_request(|request: hyper::Request<Incoming>| request.map(Body::new)),
    );
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head);
    let mut connection = pin!(builder.serve_connection(io, service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        _ = closed.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
    drop(permit);
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// A stream whose writes fail if the client reads nothing for too long.
struct Patient {
    stream: TcpStream,
    idle: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn judged<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        let idle = self.idle;
        ready!(
            self.waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)))
                .as_mut()
                .poll(cx)
        );
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judged(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judged(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Time for running requests to finish when the service stops.
const GRACE: Duration = Duration::from_secs(20);

/// Pause after a system error, such as too many open files.
const AFTER_ERROR: Duration = Duration::from_secs(1);
