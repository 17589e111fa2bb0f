//! A proxy that makes the way long: what it takes comes out later, and only so much may be under way in each direction of a connection.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// How long the way is, and how much fits on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How long after it was taken a piece is delivered.
    pub(crate) delay: Duration,
    /// How much of one direction of a connection is taken and not delivered yet, at most.
    pub(crate) in_flight_bytes: usize,
}

impl Shape {
    /// A client far away: one stream gets 52 MB/s at most.
    pub(crate) const FAR: Self = Self {
        delay: Duration::from_millis(20),
        in_flight_bytes: 1 << 20,
    };
}

/// A running proxy. Dropped, it takes no more connections; those it has go on until their ends close them.
pub(crate) struct Shaper {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Shaper {
    /// Starts one in front of the server at `upstream`, an HTTP address.
    ///
    /// # Errors
    /// When there is no free port.
    pub(crate) fn start(upstream: &str, shape: Shape) -> Result<Self> {
        let upstream = upstream.strip_prefix("http://").unwrap_or(upstream);
        let upstream: SocketAddr = upstream
            .trim_end_matches('/')
            .parse()
            .with_context(|| format!("{upstream} is no address"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::net::free_port()?))?;
        let shaper = Self {
            address: listener.local_addr()?,
            is_over: Arc::default(),
        };
        let is_over = shaper.is_over.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // A server that can't be reached shows as a connection that is closed at once.
                let _ = join(client, upstream, shape);
            }
        });
        Ok(shaper)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for the next one.
        let _ = TcpStream::connect(self.address);
    }
}

/// Joins a client with a connection of its own to the server.
fn join(client: TcpStream, upstream: SocketAddr, shape: Shape) -> Result<()> {
    let server = TcpStream::connect(upstream)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let directions = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (from, to) in directions {
        let way = Arc::new(Way::new(shape));
        let (entry, exit) = (way.clone(), way);
        let (source, sink) = (from.try_clone()?, to);
        thread::spawn(move || entry.take(source));
        thread::spawn(move || exit.deliver(&sink, &from));
    }
    Ok(())
}

/// One direction of a connection.
struct Way {
    shape: Shape,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is under way, each piece with the time when it is due; an empty one is the end.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    in_flight_bytes: usize,
    /// Nobody takes what would come.
    is_closed: bool,
}

impl Way {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Reads from `source` as far as there is room, until it ends or nobody takes it.
    fn take(&self, mut source: TcpStream) {
        loop {
            let room = {
                let full = |state: &mut State| {
                    !state.is_closed && state.in_flight_bytes >= self.shape.in_flight_bytes
                };
                let state = self.changed.wait_while(self.state(), full);
                let state = state.unwrap_or_else(PoisonError::into_inner);
                if state.is_closed {
                    return;
                }
                self.shape.in_flight_bytes - state.in_flight_bytes
            };
            let mut piece = vec![0; room.min(PIECE_BYTES)];
            let got = match source.read(&mut piece) {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            piece.truncate(got);
            let mut state = self.state();
            state.in_flight_bytes += got;
            state.pieces.push_back((Instant::now() + self.shape.delay, piece));
            self.changed.notify_all();
            if got == 0 {
                return;
            }
        }
    }

    /// Writes each piece into `sink` when it is due. When `sink` takes no more, `source` is told to give no more.
    fn deliver(&self, mut sink: &TcpStream, source: &TcpStream) {
        loop {
            let (due, piece) = {
                let empty = |state: &mut State| state.pieces.is_empty();
                let state = self.changed.wait_while(self.state(), empty);
                let mut state = state.unwrap_or_else(PoisonError::into_inner);
                match state.pieces.pop_front() {
                    Some(next) => next,
                    None => continue,
                }
            };
            // The length of the way is what it is for.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let is_end = piece.is_empty();
            let is_stuck = !is_end && sink.write_all(&piece).is_err();
            let mut state = self.state();
            state.in_flight_bytes -= piece.len();
            state.is_closed = is_stuck;
            self.changed.notify_all();
            drop(state);
            // Both may have gone already.
            if is_end {
                let _ = sink.shutdown(Shutdown::Write);
                return;
            }
            if is_stuck {
                let _ = source.shutdown(Shutdown::Read);
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes that belong together, so a poisoned state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        delay: Duration::from_millis(20),
        in_flight_bytes: 256 << 10,
    };

    /// A server that gives one client `len_bytes` bytes once it has asked with one, and then tells what else it was sent.
    fn server(len_bytes: usize) -> (String, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0]).unwrap();
            let bytes: Vec<u8> = (0..len_bytes).map(|index| index as u8).collect();
            // One who leaves early is one of the tests.
            let _ = stream.write_all(&bytes);
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            rest
        };
        (address, thread::spawn(serve))
    }

    fn connect(shaper: &Shaper) -> TcpStream {
        TcpStream::connect(shaper.address).unwrap()
    }

    #[test]
    fn what_is_sent_comes_whole_and_in_order_in_both_directions() {
        let (address, served) = server(3_000_000);
        let shaper = Shaper::start(&address, SHAPE).unwrap();
        let mut client = connect(&shaper);
        client.write_all(b"?and more").unwrap();
        let mut got = vec![0; 3_000_000];
        client.read_exact(&mut got).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(got.iter().enumerate().all(|(index, byte)| *byte == index as u8));
        assert_eq!(served.join().unwrap(), b"and more");
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn an_answer_takes_both_ways() {
        let (address, served) = server(1);
        let shaper = Shaper::start(&address, SHAPE).unwrap();
        let mut client = connect(&shaper);
        let started = Instant::now();
        client.write_all(b"?").unwrap();
        client.read_exact(&mut [0]).unwrap();
        assert!(started.elapsed() >= SHAPE.delay * 2);
        drop(client);
        assert!(served.join().unwrap().is_empty());
    }

    #[test]
    fn a_stream_gets_no_more_than_is_in_flight_each_delay() {
        let len_bytes = 8 * SHAPE.in_flight_bytes;
        let (address, served) = server(len_bytes);
        let shaper = Shaper::start(&address, SHAPE).unwrap();
        let mut client = connect(&shaper);
        let started = Instant::now();
        client.write_all(b"?").unwrap();
        client.read_exact(&mut vec![0; len_bytes]).unwrap();
        assert!(started.elapsed() >= SHAPE.delay * 8);
        drop(client);
        served.join().unwrap();
    }

    #[test]
    fn a_client_that_leaves_ends_the_connection_to_the_server() {
        let (address, served) = server(64 << 20);
        let shaper = Shaper::start(&address, SHAPE).unwrap();
        let mut client = connect(&shaper);
        client.write_all(b"?").unwrap();
        client.read_exact(&mut [0]).unwrap();
        drop(client);
        served.join().unwrap();
    }
}
