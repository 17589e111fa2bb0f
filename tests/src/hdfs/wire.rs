//! The way to a NameNode, which can be cut.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::between::listen;

/// Passes everything on to a server, in connections that can be cut.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    cuts: Arc<watch::Sender<()>>,
    listening: JoinHandle<()>,
}

impl Wire {
    /// Begins to pass on to the server of this URL, such as `hdfs://127.0.0.1:8020`.
    pub async fn start(url: &str) -> Self {
        let address = url.rsplit('/').next().unwrap_or(url).to_owned();
        let cuts = Arc::new(watch::Sender::new(()));
        let watched = Arc::clone(&cuts);
        let (port, listening) =
            listen(move |client| pass_on(client, address.clone(), watched.subscribe())).await;
        Self {
            port,
            cuts,
            listening,
        }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.port)
    }

    /// Ends every connection; new ones are taken.
    pub fn cut(&self) {
        self.cuts.send_replace(());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass_on(
    mut client: TcpStream,
    address: String,
    mut cut: watch::Receiver<()>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    tokio::select! {
        done = copy_bidirectional(&mut client, &mut server) => done.map(drop),
        _ = cut.changed() => Ok(()),
    }
}
