//! Connections: limits their number, attributes them to clients, and closes those that block
//! others.
//!
//! A connection is unidentified until its first call identifies its client, to which it then
//! counts; one that makes no call in time is closed. The number of unidentified connections is
//! limited: beyond the limit, the oldest one of the address with the most of them is closed.
//!
//! - [`ConnectionRegistry`]: all connections. [`AcceptedConnection`]: one, as a byte stream.
//!   [`calls`]: the calls on them.
//!
//! Authorization is in [`crate::security::guard`].

pub mod calls;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::budgets::{BudgetPermit, Principal, ResourceBudgets};
use super::limits::{ClientResource, HANDSHAKE_MAX, STRANGERS_MAX, STRANGERS_PER_ADDRESS_MAX};

/// How long to pause after `accept` fails, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// All connections to a broker's port. Clones share it.
#[derive(Clone, Debug)]
pub struct ConnectionRegistry {
    table: Arc<Mutex<ConnectionTable>>,
    budgets: ResourceBudgets,
    handshake_max: Duration,
}

#[derive(Debug, Default)]
struct ConnectionTable {
    lines: HashMap<SocketAddr, Arc<ConnectionState>>,
    /// Unidentified connections, the oldest first.
    strangers: BTreeMap<u64, Arc<ConnectionState>>,
    next: u64,
}

/// The shared state of a connection.
#[derive(Debug)]
pub struct ConnectionState {
    number: u64,
    remote: SocketAddr,
    /// The client, once it is identified.
    owner: OnceLock<(Principal, BudgetPermit)>,
    /// The number of active calls.
    calls: AtomicUsize,
    is_closed: AtomicBool,
    /// Wakes the reading task when the connection is closed.
    reader: AtomicWaker,
}

impl ConnectionState {
    /// Closes the connection, and ends all calls on it.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.reader.wake();
    }

    /// Returns the client, if it is identified.
    pub fn owner(&self) -> Option<&Principal> {
        self.owner.get().map(|(principal, _)| principal)
    }
}

impl ConnectionRegistry {
    /// Creates an empty registry, which counts against these budgets.
    pub fn new(budgets: ResourceBudgets) -> ConnectionRegistry {
        ConnectionRegistry {
            table: Arc::default(),
            budgets,
            handshake_max: HANDSHAKE_MAX,
        }
    }

    /// Sets how long a connection may stay unidentified.
    pub fn with_patience(mut self, handshake_max: Duration) -> ConnectionRegistry {
        self.handshake_max = handshake_max;
        self
    }

    /// Returns the budgets of clients.
    pub fn budgets(&self) -> &ResourceBudgets {
        &self.budgets
    }

    /// Returns the stream of accepted connections. A failed `accept` does not end it.
    pub fn incoming(
        self,
        listener: TcpListener,
    ) -> impl Stream<Item = io::Result<AcceptedConnection>> {
        stream::unfold((self, listener), |(connections, listener)| async move {
            let connection = connections.accept(&listener).await;
            Some((Ok(connection), (connections, listener)))
        })
    }

    /// Accepts the next connection.
    pub async fn accept(&self, listener: &TcpListener) -> AcceptedConnection {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => return self.enter(stream, remote),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be taken");
                    // Probably there are no descriptors left, and closing an unidentified
                    // connection frees one.
                    self.lock().make_room();
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn enter(&self, stream: TcpStream, remote: SocketAddr) -> AcceptedConnection {
        // An error shows when the connection is used.
        drop(stream.set_nodelay(true));
        let mut table = self.lock();
        let line = Arc::new(ConnectionState {
            number: table.next,
            remote,
            owner: OnceLock::new(),
            calls: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        });
        table.next += 1;
        table.lines.insert(remote, Arc::clone(&line));
        table.strangers.insert(line.number, Arc::clone(&line));
        let of_address = table.strangers_of(remote.ip()).count();
        if of_address > STRANGERS_PER_ADDRESS_MAX {
            table.close_oldest(remote.ip());
        } else if table.strangers.len() > STRANGERS_MAX {
            table.make_room();
        }
        drop(table);
        AcceptedConnection {
            stream,
            line,
            connections: self.clone(),
            deadline: Some(Box::pin(sleep(self.handshake_max))),
        }
    }

    /// Returns the connection from this address.
    fn line(&self, remote: SocketAddr) -> Option<Arc<ConnectionState>> {
        self.lock().lines.get(&remote).cloned()
    }

    /// Attributes a connection to its client, unless the client has too many.
    fn admit(&self, line: &Arc<ConnectionState>, principal: &Principal) -> Result<(), Status> {
        if line.owner.get().is_some() {
            return Ok(());
        }
        // Beyond its client's limit a call is refused here; the connection stays unidentified, and
        // times out.
        let hold = self
            .budgets
            .take(principal, ClientResource::Connections, 1)?;
        // If two calls are concurrent, the first one identifies the connection.
        drop(line.owner.set((principal.clone(), hold)));
        self.lock().strangers.remove(&line.number);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionTable {
    fn strangers_of(&self, address: IpAddr) -> impl Iterator<Item = u64> {
        let strangers = self.strangers.iter();
        strangers
            .filter(move |(_, line)| line.remote.ip() == address)
            .map(|(number, _)| *number)
    }

    fn close_oldest(&mut self, address: IpAddr) {
        let oldest = self.strangers_of(address).next();
        if let Some(line) = oldest.and_then(|number| self.strangers.remove(&number)) {
            line.close();
        }
    }

    /// Closes an unidentified connection of the address with the most of them.
    fn make_room(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for line in self.strangers.values() {
            *counts.entry(line.remote.ip()).or_default() += 1;
        }
        let most = counts
            .into_iter()
            .max_by_key(|(address, count)| (*count, *address));
        if let Some((address, _)) = most {
            self.close_oldest(address);
        }
    }
}

/// An accepted connection, as a byte stream.
#[derive(Debug)]
pub struct AcceptedConnection {
    stream: TcpStream,
    line: Arc<ConnectionState>,
    connections: ConnectionRegistry,
    /// The time by which it must be identified.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl AcceptedConnection {
    /// Returns the peer's address.
    pub fn remote(&self) -> SocketAddr {
        self.line.remote
    }

    /// Returns an error if the connection must be closed.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        // The waker is registered before the flag is read: a flag that is set in between wakes this
        // task again.
        self.line.reader.register(context.waker());
        if self.line.is_closed.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let Some(deadline) = &mut self.deadline else {
            return Ok(());
        };
        if self.line.owner().is_some() {
            self.deadline = None;
            return Ok(());
        }
        while deadline.as_mut().poll(context).is_ready() {
            // A call without a credential, such as a health check, may outlast a handshake.
            if self.line.calls.load(Ordering::SeqCst) == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let again = Instant::now() + self.connections.handshake_max;
            deadline.as_mut().reset(again);
        }
        Ok(())
    }
}

impl Drop for AcceptedConnection {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.strangers.remove(&self.line.number);
        let remote = self.line.remote;
        if table
            .lines
            .get(&remote)
            .is_some_and(|line| Arc::ptr_eq(line, &self.line))
        {
            table.lines.remove(&remote);
        }
    }
}

impl Connected for AcceptedConnection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo {
            local_addr: self.stream.local_addr().ok(),
            remote_addr: Some(self.line.remote),
        }
    }
}

impl AsyncRead for AcceptedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for AcceptedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn port(connections: &ConnectionRegistry) -> (TcpListener, SocketAddr) {
        assert!(connections.lock().lines.is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn pair(
        connections: &ConnectionRegistry,
        listener: &TcpListener,
    ) -> (TcpStream, AcceptedConnection) {
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), connections.accept(listener));
        (near.unwrap(), far)
    }

    #[tokio::test]
    async fn who_does_not_show_whose_it_is_has_little_time() {
        let connections =
            ConnectionRegistry::new(ResourceBudgets::default()).with_patience(Duration::ZERO);
        let (listener, _) = port(&connections).await;
        let (_near, mut far) = pair(&connections, &listener).await;
        let error = far.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(far);
        // A connection that has made a call needs no further one in time.
        let (mut near, mut far) = pair(&connections, &listener).await;
        let ann = Principal::Member("ann".to_owned());
        connections.admit(&far.line, &ann).unwrap();
        near.write_all(b"7").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'7');
        assert_eq!(
            connections.budgets.used(&ann, ClientResource::Connections),
            1
        );
        drop(far);
        assert_eq!(
            connections.budgets.used(&ann, ClientResource::Connections),
            0
        );
        let table = connections.lock();
        assert_eq!((table.lines.len(), table.strangers.len()), (0, 0));
    }

    #[tokio::test]
    async fn of_too_many_strangers_the_one_that_has_hesitated_longest_goes() {
        let connections = ConnectionRegistry::new(ResourceBudgets::default());
        let (listener, _) = port(&connections).await;
        let mut all = Vec::new();
        for _ in 0..=STRANGERS_PER_ADDRESS_MAX {
            all.push(pair(&connections, &listener).await);
        }
        let closed = |all: &[(TcpStream, AcceptedConnection)]| -> Vec<usize> {
            let lines = all.iter().enumerate();
            let closed = lines.filter(|(_, (_, far))| far.line.is_closed.load(Ordering::SeqCst));
            closed.map(|(index, _)| index).collect()
        };
        assert_eq!(closed(&all), [0]);
        let error = all[0].1.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        // An identified connection is never closed to make room.
        let ann = Principal::Member("ann".to_owned());
        connections.admit(&all[1].1.line, &ann).unwrap();
        for _ in 0..2 {
            all.push(pair(&connections, &listener).await);
        }
        assert_eq!(closed(&all), [0, 2]);
    }
}
