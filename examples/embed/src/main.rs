//! The smallest axum application that mounts CampusDisk, with a login of its own.

mod portal;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = portal::app("embed-data".as_ref()).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("try: curl -H 'X-Portal-User: ada' http://127.0.0.1:3000/disk/api/v1/drives");
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<std::net::SocketAddr>(),
    )
    .await?;
    Ok(())
}
