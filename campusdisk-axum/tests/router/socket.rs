//! What only a real connection shows.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app::App;

async fn serve(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_all_before_it_reads_gets_its_refusal() {
    let app = App::new().await;
    let address = serve(&app).await;
    for _ in 0..10 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let bytes = vec![b'x'; 8 << 20];
        let head = format!(
            "PUT /api/v1/nodes/0000000000000000000000000a/content HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&bytes).await.unwrap();
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 401");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_before_sending_is_refused_without_being_told_to_go_on() {
    let app = App::new().await;
    let address = serve(&app).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = "PUT /api/v1/nodes/x/content HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 401");
}
