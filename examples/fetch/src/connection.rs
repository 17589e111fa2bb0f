//! One connection of a download: takes a span, asks for it, writes what comes, and again.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;

use crate::client::Client;
use crate::error::{Error, Trouble};
use crate::first::check_encoding;
use crate::headers::{ContentRange, text};
use crate::job::{Job, Next};
use crate::pour::{LONGEST_HOLD, Pour};
use crate::spans::Span;

/// The shortest span that a connection begins with, and the shortest one.
const FIRST_SPAN_BYTES: u64 = 2 * 1024 * 1024;
const SHORTEST_SPAN_BYTES: u64 = 1024 * 1024;
/// The longest one. It bounds how far the connections work from each other, and so how much is left to hash at the end.
const LONGEST_SPAN_BYTES: u64 = 32 * 1024 * 1024;
/// A span is what a connection does in about this time, so that the round trip of its request hardly counts.
const SPAN_TIME: Duration = Duration::from_secs(4);

/// Works until there is nothing left for it to do.
///
/// # Errors
/// What ends the whole download.
pub(crate) async fn run(job: Arc<Job>, connection: usize) -> Result<(), Trouble> {
    let outcome = work(&job, connection).await;
    job.leave(connection);
    outcome
}

async fn work(job: &Job, connection: usize) -> Result<(), Trouble> {
    let mut longest = first_longest(job.size, job.table().pace.connections());
    loop {
        let next = match job.next(connection, longest) {
            Next::Ask(span) => {
                let asked_at = Instant::now();
                let outcome = download(job, connection, span).await;
                job.release(connection);
                match outcome {
                    Ok(()) => {
                        longest = next_longest(span.len(), asked_at.elapsed());
                        continue;
                    }
                    Err(Trouble::Passing(passing)) => job.failed(connection, passing)?,
                    Err(trouble) => return Err(trouble),
                }
            }
            next => next,
        };
        match next {
            Next::Wait(wait) => tokio::select! {
                () = job.halt.come() => {}
                () = tokio::time::sleep(wait) => {}
            },
            _ => return Ok(()),
        }
    }
}

/// Downloads a span, or as much of it as stays the connection's. When told to halt it keeps what came and returns.
async fn download(job: &Job, connection: usize, span: Span) -> Result<(), Trouble> {
    let asked_at = Instant::now();
    let answer = tokio::select! {
        () = job.halt.come() => return Ok(()),
        answer = job.client.get(Some(span), Some(&job.validator)) => answer?,
    };
    let sent = checked(job, &answer, span)?;
    job.table().first_byte_after = asked_at.elapsed();
    let mut pour = Pour::new(job.part.file(), span.start);
    let outcome = receive(job, connection, sent.len(), answer, &mut pour).await;
    // What came is kept also when no more does.
    note_written(job, connection, pour.finish().await)?;
    outcome
}

async fn receive(
    job: &Job,
    connection: usize,
    sent_bytes: u64,
    mut answer: Response,
    pour: &mut Pour,
) -> Result<(), Trouble> {
    let mut left = sent_bytes;
    loop {
        let mut piece = match next(job, connection, &mut answer, pour).await? {
            Came::Bytes(piece) => piece,
            Came::End if left > 0 => {
                let came = sent_bytes - left;
                return Err(Trouble::passing(format!("it sent {came} of {sent_bytes} bytes")));
            }
            Came::End | Came::Dismissal => return Ok(()),
        };
        let whole = piece.len();
        let own = job.receive(connection, left.min(whole as u64));
        left -= own;
        piece.truncate(usize::try_from(own).unwrap_or(whole));
        let is_cut = piece.len() < whole;
        note_written(job, connection, pour.push(piece).await)?;
        // Another connection took the rest over, or the server sends more than it said. A body that is exactly done is
        // read to its end, so that the connection can be used again.
        if is_cut || (left > 0 && job.table().spans.rest(connection).is_none()) {
            return Ok(());
        }
    }
}

/// What a connection waited for.
enum Came {
    Bytes(Bytes),
    /// The end of the answer.
    End,
    /// There is nothing to wait for any more.
    Dismissal,
}

/// Waits for the next bytes, and while none come, writes those before: they would not count otherwise, though another
/// connection takes over the rest alone.
async fn next(job: &Job, connection: usize, answer: &mut Response, pour: &mut Pour) -> Result<Came, Trouble> {
    // Not begun anew at each look, or it would never be idle for too long.
    let mut piece = pin!(job.client.next(answer));
    loop {
        tokio::select! {
            () = job.halt.come() => return Ok(Came::Dismissal),
            piece = &mut piece => return Ok(piece?.map_or(Came::End, Came::Bytes)),
            () = tokio::time::sleep(LONGEST_HOLD) => {
                note_written(job, connection, pour.finish().await)?;
                if job.table().spans.rest(connection).is_none() {
                    return Ok(Came::Dismissal);
                }
            }
        }
    }
}

fn note_written(job: &Job, connection: usize, written: io::Result<u64>) -> Result<(), Trouble> {
    let written = written.map_err(|error| Error::file("write", job.part.path(), error))?;
    job.wrote(connection, written);
    Ok(())
}

/// Lets the answer to a request for a span pass when it is one, of the same file; returns what it sends.
fn checked(job: &Job, answer: &Response, asked: Span) -> Result<Span, Trouble> {
    let (client, headers): (&Client, _) = (&job.client, answer.headers());
    match answer.status().as_u16() {
        206 => {}
        // By `If-Range`: the whole of what is there now.
        200 => return Err(changed("it answered a range with the whole")),
        416 => return Err(changed("the range is not there any more")),
        status => return Err(client.against_rules(format!("it answered {status} to a range"))),
    }
    check_encoding(client, headers)?;
    if job.validator.is_denied_by(headers) {
        return Err(changed("its ETag or date is another"));
    }
    let said = text(headers, "content-range").unwrap_or("nothing readable");
    let range = ContentRange::of(headers);
    if range.is_some_and(|range| range.size.is_some_and(|size| size != job.size)) {
        return Err(changed(&format!("it had {} bytes, and now {said}", job.size)));
    }
    let sent = range.and_then(|range| range.span);
    let fits = |sent: &Span| sent.start == asked.start && sent.end <= asked.end;
    sent.filter(fits).ok_or_else(|| {
        let Span { start, end } = asked;
        client.against_rules(format!(
            "asked for bytes {start}-{}, it says that it sends {said}",
            end - 1
        ))
    })
}

fn changed(how: &str) -> Trouble {
    Trouble::Changed(format!("the file changed on the server ({how})"))
}

/// An even share of the file, as nobody knows the connections' speeds yet: a second request would cost each a round trip. Who is quicker
/// takes over from who is slower.
fn first_longest(size: u64, connections: usize) -> u64 {
    let share = size.div_ceil(connections.max(1) as u64);
    share.clamp(FIRST_SPAN_BYTES, LONGEST_SPAN_BYTES)
}

/// What a connection does in [`SPAN_TIME`] at the speed of its last span.
fn next_longest(bytes: u64, took: Duration) -> u64 {
    let milliseconds = took.as_millis().max(1);
    let longest = u128::from(bytes) * SPAN_TIME.as_millis() / milliseconds;
    let longest = u64::try_from(longest).unwrap_or(LONGEST_SPAN_BYTES);
    longest.clamp(SHORTEST_SPAN_BYTES, LONGEST_SPAN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_span_is_an_even_share_within_its_limits() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(first_longest(80 * MIB + 1, 8), 10 * MIB + 1);
        assert_eq!(first_longest(MIB, 8), FIRST_SPAN_BYTES);
        assert_eq!(first_longest(1024 * MIB, 2), LONGEST_SPAN_BYTES);
    }

    #[test]
    fn a_span_is_four_seconds_of_work_within_its_limits() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(next_longest(2 * MIB, Duration::from_secs(1)), 8 * MIB);
        assert_eq!(next_longest(2 * MIB, Duration::ZERO), LONGEST_SPAN_BYTES);
        assert_eq!(
            next_longest(2 * MIB, Duration::from_secs(100)),
            SHORTEST_SPAN_BYTES
        );
    }
}
