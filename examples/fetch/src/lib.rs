//! Downloads over several connections that resume, from any server that speaks `Range`.
//!
//! A file is cut in spans. Each connection asks for one after the other (`If-Range` with the strong ETag, or the date),
//! writes its bytes in place into `NAME.part`, and once nothing is open takes half of what another still has to do. There
//! are two connections at first, and more as long as that raises the rate. `NAME.part.json` says what is on the disk, so
//! another run goes on after a kill. The whole is checked (length; SHA-256 by `Repr-Digest` or by the caller), synced,
//! and only then put under its final name. Bytes of two versions of a file are never mixed.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fetch::{Fetch, Options, Output, Quiet, Watch};
//!
//! # // A server of five bytes, which knows no ranges.
//! # fn hall() -> std::io::Result<String> {
//! #     use std::io::{Read, Write};
//! #     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! #     let url = format!("http://{}/api/v1/nodes/7Q2/content", listener.local_addr()?);
//! #     std::thread::spawn(move || {
//! #         for mut client in listener.incoming().flatten() {
//! #             let _ = client.read(&mut [0; 4096]);
//! #             let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
//! #             let _ = client.write_all(format!("{head}hello").as_bytes());
//! #         }
//! #     });
//! #     Ok(url)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (url, place) = (hall()?, tempfile::tempdir()?);
//! # let folder = place.path();
//! let options = Options::default().with_connections(4).with_token("a token of the hall")?;
//! let fetch = Fetch::new(&url, Output::Folder(folder.into()), options)?;
//! let watch: Arc<dyn Watch> = Arc::new(Quiet);
//! let fetched = fetch.run(&watch, std::future::pending()).await?;
//! assert_eq!(std::fs::read(&fetched.path)?, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! | what | limit |
//! |---|---|
//! | connections | 8 unless set, 64 at most |
//! | memory of a connection | about 1.5 MiB: what is written and what is received meanwhile, 512 KiB each, and a piece from the network |
//! | a span | 1 to 32 MiB, about 4 s of work |
//! | a wait of its own between tries; one that the server asks for | 30 s; 15 min |
//! | redirects | 10 |
//! | new beginnings because the file changed | 5 |
//! | what `kill -9` loses | what came since the last look, taken once a second, and what the disk takes to sync |

mod client;
mod connection;
mod digest;
mod error;
mod event;
mod fetch;
mod first;
mod headers;
mod job;
mod name;
mod options;
mod pace;
mod parallel;
mod part;
mod patience;
mod pour;
mod spans;
mod task;
mod whole;

pub use self::error::{Error, Result};
pub use self::event::{Event, Quiet, Watch};
pub use self::fetch::{Check, Fetch, Fetched, Output};
pub use self::options::{CONNECTIONS_LIMIT, Existing, Options};
