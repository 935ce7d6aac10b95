//! TLS as AWS and Cal.com have it, with a certificate of our own that the functions are told to trust.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
    server::TlsStream,
};

/// A certificate for loopback, and what accepts connections with it.
pub struct Certificate {
    /// For whoever is to trust it.
    pub pem: String,
    acceptor: TlsAcceptor,
}

impl Certificate {
    /// A new one, which nobody trusts yet.
    pub fn for_loopback() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("it was just made");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("key and certificate belong together");
        Self { pem: cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// Listens on a free port of loopback.
    pub async fn listen(&self) -> Listener {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = tcp.local_addr().expect("it is bound");
        let (sender, ready) = channel(64);
        tokio::spawn(accept_all(tcp, self.acceptor.clone(), sender));
        Listener { address, ready }
    }
}

/// Connections whose handshake is done, for `axum`.
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    ready: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

/// Handshakes are made beside each other, so that clients which connect together need not wait for each other.
async fn accept_all(tcp: TcpListener, acceptor: TlsAcceptor, sender: Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    while let Ok((stream, peer)) = tcp.accept().await {
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = sender.send((stream, peer)).await;
            }
        });
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
