//! RPC calls: attributes each to its client, and limits their number and duration.
//!
//! A call counts until its response has been consumed. Calls that transfer blobs run a few at a
//! time for each client and the others wait, because one message may have megabytes. A client that
//! does not consume a response loses its connection; a client that watches a stream does not,
//! because such streams are bounded.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::{ConnectionRegistry, ConnectionState};
use crate::broker::budgets::{BudgetPermit, Principal};
use crate::broker::limits::{CALL_MAX, ClientResource, SILENCE_MAX, TRANSFERS_MAX};
use crate::security::guard::AccessPolicy;

/// Endless streams, which the client may read as slowly as it likes: the buffers for it are
/// bounded.
const WATCHED: [&str; 4] = [
    "/maelstrom.v1.Jobs/Session",
    "/maelstrom.v1.Workers/Work",
    "/maelstrom.v1.Operator/Watch",
    "/grpc.health.v1.Health/Watch",
];

/// A call that takes as long as its upload.
const UPLOAD: &str = "/google.bytestream.ByteStream/Write";

/// Calls whose messages may have several megabytes.
const TRANSFERS: &str = "/build.bazel.remote.execution.v2.ContentAddressableStorage/";

/// How many times slow readers are checked within their timeout.
const LOOKS_PER_SILENCE: u32 = 4;

/// Wraps the services with limits for the clients of these connections.
pub fn serve(routes: Routes, connections: ConnectionRegistry, access: AccessPolicy) -> Routes {
    let reception = CallMiddleware {
        readers: ResponseReaders::start(SILENCE_MAX),
        connections,
        access,
        transfers: Arc::default(),
    };
    let router: Router = routes.into_axum_router();
    Routes::from(router.layer(from_fn_with_state(reception, receive)))
}

#[derive(Clone, Debug)]
struct CallMiddleware {
    connections: ConnectionRegistry,
    access: AccessPolicy,
    readers: ResponseReaders,
    /// The semaphores of clients with calls to [`TRANSFERS`].
    transfers: Arc<Mutex<HashMap<Principal, Weak<Semaphore>>>>,
}

/// Counts an active call of a connection.
#[derive(Debug)]
struct ActiveCall(Arc<ConnectionState>);

impl Drop for ActiveCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn receive(
    State(reception): State<CallMiddleware>,
    request: Request,
    next: Next,
) -> Response {
    match reception.pass(request, next).await {
        Ok(response) => response,
        Err(status) => status.into_http(),
    }
}

impl CallMiddleware {
    async fn pass(&self, request: Request, next: Next) -> Result<Response, Status> {
        let remote = remote(&request);
        let line = remote.and_then(|remote| self.connections.line(remote));
        let (request, principal) = self.identify(request, remote, line.as_ref())?;
        let budgets = self.connections.budgets();
        let hold = budgets.take(&principal, ClientResource::Calls, 1)?;
        let busy = line.map(|line| {
            line.calls.fetch_add(1, Ordering::SeqCst);
            ActiveCall(line)
        });
        let path = request.uri().path();
        let reader = match &busy {
            Some(busy) if !WATCHED.contains(&path) => Some(self.readers.watch(&busy.0)),
            Some(_) | None => None,
        };
        let queue = path
            .starts_with(TRANSFERS)
            .then(|| self.transfers_of(&principal));
        let is_upload = path == UPLOAD;
        let called = async {
            let _turn = match &queue {
                Some(queue) => queue.acquire().await.ok(),
                None => None,
            };
            next.run(request).await
        };
        let response = match is_upload {
            true => called.await,
            false => timeout(CALL_MAX, called).await.map_err(|_| {
                let seconds = CALL_MAX.as_secs();
                Status::deadline_exceeded(format!("the call was not over after {seconds} s"))
            })?,
        };
        Ok(response.map(|body| {
            // From here on, a delay is the client's; before, the call itself may take its time.
            if let Some(reader) = &reader {
                reader.goes_on();
            }
            Body::new(TrackedBody {
                body,
                reader,
                _held: (hold, busy, queue),
            })
        }))
    }

    /// Identifies the caller. A connection is identified once.
    fn identify(
        &self,
        request: Request,
        remote: Option<SocketAddr>,
        line: Option<&Arc<ConnectionState>>,
    ) -> Result<(Request, Principal), Status> {
        if let Some(owner) = line.and_then(|line| line.owner()) {
            return Ok((request, owner.clone()));
        }
        let address = remote.map(|remote| remote.ip());
        let stranger = Principal::of(None, address);
        if self.access.is_open() {
            if let Some(line) = line {
                self.connections.admit(line, &stranger)?;
            }
            return Ok((request, stranger));
        }
        // Calls that need no credential are answered for unidentified callers, too; the guard
        // refuses the others.
        match self.access.shown(request.headers(), request.extensions()) {
            Ok(identity) => {
                let owner = Principal::of(Some(&identity), address);
                if let Some(line) = line {
                    self.connections.admit(line, &owner)?;
                }
                Ok((request, owner))
            }
            Err(_) => Ok((request, stranger)),
        }
    }

    /// Returns the semaphore of a client's transfers.
    fn transfers_of(&self, principal: &Principal) -> Arc<Semaphore> {
        let mut transfers = lock(&self.transfers);
        if let Some(queue) = transfers.get(principal).and_then(Weak::upgrade) {
            return queue;
        }
        transfers.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Semaphore::new(TRANSFERS_MAX));
        transfers.insert(principal.clone(), Arc::downgrade(&queue));
        queue
    }
}

/// Returns the peer's address.
fn remote<T>(request: &axum::http::Request<T>) -> Option<SocketAddr> {
    let extensions = request.extensions();
    let plain = extensions.get::<TcpConnectInfo>();
    let info = plain.or_else(|| {
        let tls = extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
        tls.map(TlsConnectInfo::get_ref)
    });
    info.and_then(TcpConnectInfo::remote_addr)
}

/// Clients with pending responses.
#[derive(Clone, Debug)]
struct ResponseReaders {
    all: Arc<Mutex<Vec<Weak<ResponseReader>>>>,
    began: Instant,
}

/// One pending response.
#[derive(Debug)]
struct ResponseReader {
    line: Weak<ConnectionState>,
    began: Instant,
    /// The time of the last read, in milliseconds since `began`; `u64::MAX` before there is a
    /// response.
    at_ms: AtomicU64,
}

impl ResponseReaders {
    /// Closes connections that read nothing for this long. Must be called within a runtime.
    fn start(patience: Duration) -> ResponseReaders {
        let readers = ResponseReaders {
            all: Arc::default(),
            began: Instant::now(),
        };
        let all = Arc::downgrade(&readers.all);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(patience / LOOKS_PER_SILENCE);
            loop {
                ticks.tick().await;
                match all.upgrade() {
                    Some(all) => look(&all, patience),
                    None => return,
                }
            }
        });
        readers
    }

    fn watch(&self, line: &Arc<ConnectionState>) -> Arc<ResponseReader> {
        let reader = Arc::new(ResponseReader {
            line: Arc::downgrade(line),
            began: self.began,
            at_ms: AtomicU64::new(u64::MAX),
        });
        lock(&self.all).push(Arc::downgrade(&reader));
        reader
    }
}

fn look(all: &Mutex<Vec<Weak<ResponseReader>>>, patience: Duration) {
    lock(all).retain(|reader| {
        let Some(reader) = reader.upgrade() else {
            return false;
        };
        let at_ms = reader.at_ms.load(Ordering::Relaxed);
        let is_slow =
            at_ms != u64::MAX && reader.now_ms().saturating_sub(at_ms) >= millis(patience);
        // Closes the connection: a body is not polled while the client's window is closed, so
        // ending only the call is not possible.
        if is_slow && let Some(line) = reader.line.upgrade() {
            let client = line.owner().map(Principal::to_string);
            let seconds = patience.as_secs();
            tracing::warn!(
                client,
                seconds,
                "a client does not take an answer: it is cut off"
            );
            line.close();
        }
        !is_slow
    });
}

impl ResponseReader {
    fn now_ms(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn goes_on(&self) {
        self.at_ms.store(self.now_ms(), Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A response being sent.
struct TrackedBody {
    body: Body,
    reader: Option<Arc<ResponseReader>>,
    _held: (BudgetPermit, Option<ActiveCall>, Option<Arc<Semaphore>>),
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(reader) = &self.reader {
            reader.goes_on();
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
