//! A stretch of HTTP between a client and an S3 server that fails, slows down and lies when told.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::between::listen;
use crate::wait::pause;

/// More than any head of these servers and clients.
const HEAD_BYTES: usize = 64 << 10;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// An object in one go.
    Put,
    /// The beginning of an upload in parts.
    Begin,
    /// One part.
    Part,
    /// The end of an upload in parts.
    Complete,
    /// An object, or a range of it.
    Get,
    /// Whether there is an object.
    Head,
    /// Which uploads in parts are not finished.
    Uploads,
    /// Anything else.
    Other,
}

impl Ask {
    fn of(head: &str) -> Self {
        let mut words = head.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let query = target.split_once('?').map_or("", |(_, query)| query);
        match method {
            "PUT" if query.contains("partNumber=") => Self::Part,
            "PUT" => Self::Put,
            "POST" if query.contains("uploadId=") => Self::Complete,
            "POST" if query.starts_with("uploads") => Self::Begin,
            "GET" if query.is_empty() => Self::Get,
            "GET" if query.contains("uploads=") => Self::Uploads,
            "HEAD" => Self::Head,
            _ => Self::Other,
        }
    }
}

/// What happens to a request or to its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server never hears of it; this status is answered, with this code of S3.
    Refuse(u16, &'static str),
    /// The server does as asked, and the connection breaks before anything of its answer arrives.
    LoseAnswer,
    /// The server does as asked, and this status is answered instead, with this code of S3.
    Deny(u16, &'static str),
    /// The connection breaks after so many bytes of the answer's body.
    Cut(usize),
    /// The connection stands, and nothing comes any more after so many bytes of the answer's body.
    Stall(usize),
    /// The answer's body comes in pieces this long, with such a pause after each.
    Trickle(usize, Duration),
    /// A header of the answer says something else.
    Lie(&'static str, String),
}

/// Passes each request on to one server, and its answer back.
#[derive(Debug)]
pub struct HttpBetween {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    planned: Mutex<Vec<Planned>>,
    seen: Mutex<Vec<(Ask, String)>>,
}

#[derive(Debug)]
struct Planned {
    ask: Ask,
    fault: Fault,
    times: u32,
}

impl HttpBetween {
    /// Begins to pass on to the server at this address, such as `127.0.0.1:7070`.
    pub async fn start(to: &str) -> Self {
        let state = Arc::new(State::default());
        let (own, to) = (Arc::clone(&state), to.to_owned());
        let (port, task) = listen(move |client| {
            let (state, to) = (Arc::clone(&own), to.clone());
            async move { pass_on(client, &to, &state).await }
        })
        .await;
        Self { port, state, task }
    }

    /// The address clients use.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets the next so many requests of a kind fail, or those after the ones that are to fail already.
    pub fn fail(&self, ask: Ask, times: u32, fault: Fault) {
        lock(&self.state.planned).push(Planned { ask, fault, times });
    }

    /// Lets every request of a kind fail from now on.
    pub fn fail_always(&self, ask: Ask, fault: Fault) {
        self.fail(ask, u32::MAX, fault);
    }

    /// Whether every failure that was asked for has happened.
    pub fn is_done(&self) -> bool {
        lock(&self.state.planned).is_empty()
    }

    /// The heads of the requests of a kind, in the order in which they came.
    pub fn seen(&self, ask: Ask) -> Vec<String> {
        let seen = lock(&self.state.seen);
        let of_kind = seen.iter().filter(|(kind, _)| *kind == ask);
        of_kind.map(|(_, head)| head.clone()).collect()
    }
}

impl Drop for HttpBetween {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Notes a request and says what is to happen to it.
    fn note(&self, ask: Ask, head: &str) -> Option<Fault> {
        lock(&self.seen).push((ask, head.to_owned()));
        let mut planned = lock(&self.planned);
        let at = planned.iter().position(|planned| planned.ask == ask)?;
        let fault = planned[at].fault.clone();
        match planned[at].times {
            u32::MAX => {}
            1 => drop(planned.remove(at)),
            _ => planned[at].times -= 1,
        }
        Some(fault)
    }
}

/// Passes on, and lets the client see a broken server as one: as a connection that is reset, not one that ended well.
async fn pass_on(mut client: TcpStream, to: &str, state: &State) -> io::Result<()> {
    let passed = pass_one(&mut client, to, state).await;
    if passed.is_err() {
        client.set_zero_linger()?;
    }
    passed
}

/// One request and its answer; the connections are not used for another, so that a body ends where its connection does.
async fn pass_one(client: &mut TcpStream, to: &str, state: &State) -> io::Result<()> {
    let request = Message::read(client).await?;
    let fault = state.note(Ask::of(&request.head), &request.head);
    if let Some(Fault::Refuse(status, code)) = fault {
        request.body(client, &mut tokio::io::sink()).await?;
        return request.answer(client, status, code).await;
    }
    let mut server = TcpStream::connect(to).await?;
    let (first, rest) = request
        .head
        .split_once("\r\n")
        .ok_or(io::ErrorKind::InvalidData)?;
    let head = format!("{first}\r\nconnection: close\r\n{rest}");
    server.write_all(head.as_bytes()).await?;
    request.body(client, &mut server).await?;
    let mut answered = Message::read(&mut server).await?;
    match fault {
        Some(Fault::LoseAnswer) => return Ok(()),
        Some(Fault::Deny(status, code)) => return request.answer(client, status, code).await,
        Some(Fault::Lie(name, ref value)) => answered.set(name, value),
        _ => {}
    }
    client.write_all(answered.head.as_bytes()).await?;
    give_body(answered.begun, server, client, fault).await
}

/// Passes on the body of an answer, until the server closes the connection.
async fn give_body(
    begun: Vec<u8>,
    mut server: TcpStream,
    client: &mut TcpStream,
    fault: Option<Fault>,
) -> io::Result<()> {
    let mut left = match fault {
        Some(Fault::Cut(after) | Fault::Stall(after)) => after,
        _ => usize::MAX,
    };
    let mut piece = begun;
    loop {
        let given = piece.len().min(left);
        match fault {
            Some(Fault::Trickle(len, between)) => {
                for little in piece.chunks(len) {
                    client.write_all(little).await?;
                    pause(between).await;
                }
            }
            _ => client.write_all(&piece[..given]).await?,
        }
        left -= given;
        if left == 0 {
            // What was written must arrive before the connection breaks.
            client.flush().await?;
            return match fault {
                Some(Fault::Stall(_)) => client.read(&mut [0]).await.map(drop),
                _ => Ok(()),
            };
        }
        piece.resize(64 << 10, 0);
        let read = server.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
    }
}

/// The head of a request or an answer, and what came of its body with it.
struct Message {
    head: String,
    begun: Vec<u8>,
}

impl Message {
    async fn read(from: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let begun = bytes.split_off(at + 4);
                let head = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
                return Ok(Self { head, begun });
            }
            if bytes.len() > HEAD_BYTES || from.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn set(&mut self, name: &str, value: &str) {
        let others = self.head.split("\r\n").filter(|line| {
            let found = line.split_once(':').map_or("", |(found, _)| found);
            !line.is_empty() && !found.eq_ignore_ascii_case(name)
        });
        let mut head = others.collect::<Vec<_>>().join("\r\n");
        head.push_str(&format!("\r\n{name}: {value}\r\n\r\n"));
        self.head = head;
    }

    /// Answers this request as an S3 server does that fails.
    async fn answer(&self, client: &mut TcpStream, status: u16, code: &str) -> io::Result<()> {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so it is</Message></Error>");
        let head = format!(
            "HTTP/1.1 {status} Failed\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).await?;
        match self.head.starts_with("HEAD ") {
            true => Ok(()),
            false => client.write_all(body.as_bytes()).await,
        }
    }

    /// Passes on the body of a request, which has a length where there is one.
    async fn body(
        &self,
        from: &mut TcpStream,
        to: &mut (impl tokio::io::AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let len: u64 = match self.header("content-length") {
            Some(len) => len.parse().map_err(|_| io::ErrorKind::InvalidData)?,
            None => 0,
        };
        to.write_all(&self.begun).await?;
        let rest = len.saturating_sub(self.begun.len() as u64);
        let copied = tokio::io::copy(&mut from.take(rest), to).await?;
        if copied < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.flush().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
