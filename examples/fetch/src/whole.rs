//! A download in one piece, where the server can't do better.

use std::sync::Arc;

use reqwest::Response;
use tokio::sync::watch;

use crate::client::Client;
use crate::error::{Error, Trouble};
use crate::event::{Event, Watch};
use crate::part::Part;
use crate::pour::Pour;
use crate::task::Stop;

/// The number of the only connection.
const CONNECTION: usize = 0;

/// Writes the answer into the file from its start; returns how many bytes it had. However it ends, nothing is written any more.
///
/// # Errors
/// What ended it; the bytes so far are of no use.
pub(crate) async fn run(
    client: &Client,
    part: &Part,
    answer: Response,
    watch: &Arc<dyn Watch>,
    whole_bytes: watch::Sender<u64>,
    stop: &Stop,
) -> Result<u64, Trouble> {
    let connection = CONNECTION;
    watch.happened(Event::Joined { connection });
    let mut pour = Pour::new(part.file(), 0);
    let received = receive(client, part, answer, watch, &whole_bytes, &mut pour, stop).await;
    let written = pour
        .finish()
        .await
        .map_err(|error| Error::file("write", part.path(), error));
    watch.happened(Event::Left { connection });
    let (received, _) = (received?, written?);
    whole_bytes.send_replace(received);
    Ok(received)
}

async fn receive(
    client: &Client,
    part: &Part,
    mut answer: Response,
    watch: &Arc<dyn Watch>,
    whole_bytes: &watch::Sender<u64>,
    pour: &mut Pour,
    stop: &Stop,
) -> Result<u64, Trouble> {
    let expected = answer.content_length();
    let mut received = 0;
    loop {
        let piece = tokio::select! {
            () = stop.come() => return Err(Error::Stopped.into()),
            piece = client.next(&mut answer) => piece?,
        };
        let Some(piece) = piece else {
            return match expected.filter(|expected| *expected != received) {
                None => Ok(received),
                Some(expected) => Err(Trouble::passing(format!(
                    "it sent {received} of {expected} bytes"
                ))),
            };
        };
        let bytes = piece.len() as u64;
        received += bytes;
        let connection = CONNECTION;
        watch.happened(Event::Received { connection, bytes });
        let written = pour
            .push(piece)
            .await
            .map_err(|error| Error::file("write", part.path(), error))?;
        whole_bytes.send_modify(|whole| *whole += written);
    }
}
