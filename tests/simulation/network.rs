//! The programs' connections over the simulated network.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use hyper_util::rt::TokioIo;
use maelstrom_spec::config::Address;
use maelstrom_wire::connection::{BrokerChannel, endpoint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use turmoil::net::{TcpListener, TcpStream};

const PORT: u16 = 9000;

/// A connection to the broker, made as the programs make theirs.
pub(crate) fn connect() -> BrokerChannel {
    let address: Address = format!("broker:{PORT}").parse().unwrap();
    let connector = tower::service_fn(|_| async {
        let stream = TcpStream::connect(("broker", PORT)).await?;
        Ok::<_, io::Error>(TokioIo::new(stream))
    });
    BrokerChannel::over(
        endpoint("http", &address)
            .unwrap()
            .connect_with_connector_lazy(connector),
    )
}

/// A stream as a server takes it.
pub(crate) struct Accepted(TcpStream);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Whoever connects to the broker, which this is called on.
pub(crate) async fn incoming() -> impl Stream<Item = io::Result<Accepted>> + Send {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await.unwrap();
    futures_util::stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await;
        Some((accepted.map(|(stream, _)| Accepted(stream)), listener))
    })
}
