//! Hadoop's data transfer protocol, as far as reading a block takes it: one request, and the packets that answer it.
//!
//! The client library reads so too, by a task that checks packets in software and hands each over through a queue. Here whoever wants
//! the bytes takes them from the socket and checks them in hardware.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use campusdisk_core::ErrorKind;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Failure;

/// The version of the protocol, since Hadoop 2.
const VERSION: u16 = 28;
/// The request to read a block.
const READ_BLOCK: u8 = 81;

/// How much room there is for what the socket has: several packets, which have 64 KiB each by default.
const ROOM_BYTES: usize = 512 << 10;
/// With less room than this left, new room is made.
const LEAST_ROOM_BYTES: usize = 128 << 10;

/// What is longer is no packet of a DataNode (which has 64 KiB of data, or what `dfs.client-write-packet-size` says).
const MAX_PACKET_BYTES: usize = 16 << 20;

/// The lengths in front of a packet: of checksums and data with itself, and of the header.
const LENGTHS_BYTES: usize = 4 + 2;
const CHECKSUM_BYTES: usize = 4;

/// Names a block to DataNodes.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct BlockId {
    #[prost(string, required, tag = "1")]
    pub(crate) pool: String,
    #[prost(uint64, required, tag = "2")]
    pub(crate) id: u64,
    #[prost(uint64, required, tag = "3")]
    pub(crate) generation: u64,
}

/// Shows a DataNode that the NameNode lets us read; empty where it doesn't ask.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Token {
    #[prost(bytes = "bytes", required, tag = "1")]
    pub(crate) identifier: Bytes,
    #[prost(bytes = "bytes", required, tag = "2")]
    pub(crate) password: Bytes,
    #[prost(string, required, tag = "3")]
    pub(crate) kind: String,
    #[prost(string, required, tag = "4")]
    pub(crate) service: String,
}

#[derive(Clone, PartialEq, Message)]
struct BaseHeader {
    #[prost(message, required, tag = "1")]
    block: BlockId,
    #[prost(message, optional, tag = "2")]
    token: Option<Token>,
}

#[derive(Clone, PartialEq, Message)]
struct ClientHeader {
    #[prost(message, required, tag = "1")]
    base: BaseHeader,
    #[prost(string, required, tag = "2")]
    client: String,
}

#[derive(Clone, PartialEq, Message)]
struct ReadBlock {
    #[prost(message, required, tag = "1")]
    header: ClientHeader,
    #[prost(uint64, required, tag = "2")]
    offset: u64,
    #[prost(uint64, required, tag = "3")]
    len: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(enumeration = "Status", required, tag = "1")]
    status: i32,
    #[prost(message, optional, tag = "4")]
    checksums: Option<ChecksumsFrom>,
    #[prost(string, optional, tag = "5")]
    message: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ChecksumsFrom {
    #[prost(message, required, tag = "1")]
    checksums: Checksums,
}

/// How the bytes of a block are checked.
#[derive(Clone, PartialEq, Message)]
struct Checksums {
    #[prost(enumeration = "Algorithm", required, tag = "1")]
    algorithm: i32,
    #[prost(uint32, required, tag = "2")]
    chunk_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Algorithm {
    None = 0,
    Crc32 = 1,
    Crc32c = 2,
}

/// Of the states only those that reading meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Status {
    Success = 0,
    Error = 1,
    ErrorAccessToken = 5,
    ChecksumOk = 6,
}

#[derive(Clone, PartialEq, Message)]
struct PacketHeader {
    #[prost(sfixed64, required, tag = "1")]
    offset_in_block: i64,
    #[prost(sfixed64, required, tag = "2")]
    number: i64,
    #[prost(bool, required, tag = "3")]
    last: bool,
    #[prost(sfixed32, required, tag = "4")]
    data_bytes: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ReadStatus {
    #[prost(enumeration = "Status", required, tag = "1")]
    status: i32,
}

/// A connection to a DataNode that has nothing under way.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

impl Connection {
    /// Connects to a DataNode at its transfer address.
    pub(crate) async fn open(address: &str) -> Result<Self, Failure> {
        let connected = async {
            let stream = TcpStream::connect(address).await?;
            // Requests are small and waited for.
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connected.await.map_err(broken)?;
        Ok(Self {
            stream,
            received: BytesMut::new(),
        })
    }

    /// Asks for `len_bytes` of a block from `offset` on, which lie in it.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the DataNode does not give them.
    pub(crate) async fn read(
        mut self,
        block: &BlockId,
        token: &Token,
        offset: u64,
        len_bytes: u64,
    ) -> Result<Reading, Failure> {
        let base = BaseHeader {
            block: block.clone(),
            token: Some(token.clone()),
        };
        let request = ReadBlock {
            header: ClientHeader {
                base,
                client: CLIENT.to_owned(),
            },
            offset,
            len: len_bytes,
        };
        let mut sent = Vec::from(VERSION.to_be_bytes());
        sent.push(READ_BLOCK);
        sent.extend(request.encode_length_delimited_to_vec());
        self.stream.write_all(&sent).await.map_err(broken)?;
        let response: Response = self.delimited().await?;
        if response.status != Status::Success as i32 {
            return Err(Failure::of_data_node(&response.message.unwrap_or_default()));
        }
        let checksums = response.checksums.ok_or_else(no_sense)?.checksums;
        Ok(Reading {
            check: Check::of(&checksums)?,
            connection: self,
            at: offset,
            left_bytes: len_bytes,
        })
    }

    /// A message with its length in front.
    async fn delimited<M: Message + Default>(&mut self) -> Result<M, Failure> {
        loop {
            if let Ok(len) = prost::decode_length_delimiter(&self.received[..]) {
                let whole = len.saturating_add(prost::length_delimiter_len(len));
                if len > MAX_PACKET_BYTES {
                    return Err(no_sense());
                }
                self.fill(whole).await?;
                return M::decode_length_delimited(self.received.split_to(whole)).map_err(|_| no_sense());
            }
            // A length has ten bytes at most.
            if self.received.len() >= 10 {
                return Err(no_sense());
            }
            self.fill(self.received.len() + 1).await?;
        }
    }

    /// Receives until there are `bytes`.
    async fn fill(&mut self, bytes: usize) -> Result<(), Failure> {
        while self.received.len() < bytes {
            let missing = bytes - self.received.len();
            if self.received.capacity() - self.received.len() < missing.max(LEAST_ROOM_BYTES) {
                self.received.reserve(missing.max(ROOM_BYTES));
            }
            let received = self.stream.read_buf(&mut self.received).await;
            if received.map_err(broken)? == 0 {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(())
    }
}

/// How this client is named in the logs of DataNodes.
const CLIENT: &str = "campusdisk";

/// Bytes of a block on their way.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: Connection,
    check: Check,
    /// Where in the block the next bytes are from.
    at: u64,
    left_bytes: u64,
}

impl Reading {
    /// The next bytes, which fit their checksums; none when all were given.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) when they don't fit, [`Unavailable`](ErrorKind::Unavailable) when the DataNode stops giving.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while self.left_bytes > 0 {
            let (header, data) = self.packet().await?;
            let bytes = self.wanted(&header, data)?;
            if !bytes.is_empty() {
                self.at += bytes.len() as u64;
                self.left_bytes -= bytes.len() as u64;
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Takes leave of the DataNode after all bytes were given, so that the connection can be used again.
    pub(crate) async fn end(mut self) -> Result<Connection, Failure> {
        let (header, data) = self.packet().await?;
        if !header.last || !data.is_empty() || self.left_bytes > 0 {
            return Err(no_sense());
        }
        let status = ReadStatus {
            status: Status::ChecksumOk as i32,
        };
        let status = status.encode_length_delimited_to_vec();
        self.connection.stream.write_all(&status).await.map_err(broken)?;
        Ok(self.connection)
    }

    /// The next packet, whose data fits its checksums.
    async fn packet(&mut self) -> Result<(PacketHeader, Bytes), Failure> {
        self.connection.fill(LENGTHS_BYTES).await?;
        let mut lengths = &self.connection.received[..LENGTHS_BYTES];
        // The first length counts itself.
        let payload = (lengths.get_u32() as usize).saturating_sub(4);
        let header = usize::from(lengths.get_u16());
        if payload > MAX_PACKET_BYTES {
            return Err(no_sense());
        }
        self.connection.fill(LENGTHS_BYTES + header + payload).await?;
        let received = &mut self.connection.received;
        received.advance(LENGTHS_BYTES);
        let header = PacketHeader::decode(received.split_to(header)).map_err(|_| no_sense())?;
        let data_bytes = usize::try_from(header.data_bytes).map_err(|_| no_sense())?;
        let checksums_bytes = payload.checked_sub(data_bytes).ok_or_else(no_sense)?;
        let checksums = received.split_to(checksums_bytes);
        let data = received.split_to(data_bytes).freeze();
        if !self.check.fits(&checksums, &data)? {
            return Err(Failure::new(
                ErrorKind::Corrupt,
                "a block does not fit its checksums",
            ));
        }
        Ok((header, data))
    }

    /// What is wanted of a packet: it begins and ends where a chunk does.
    fn wanted(&self, header: &PacketHeader, data: Bytes) -> Result<Bytes, Failure> {
        let start = u64::try_from(header.offset_in_block).map_err(|_| no_sense())?;
        let before = self.at.checked_sub(start).ok_or_else(no_sense)?;
        let end = before.saturating_add(self.left_bytes).min(data.len() as u64);
        if before >= end {
            // Bytes only before what is wanted, or the end of what the DataNode has of the block.
            return if header.last {
                Err(Failure::new(ErrorKind::Unavailable, "a block ended early"))
            } else {
                Ok(Bytes::new())
            };
        }
        // Both are at most the length of the data.
        Ok(data.slice(before as usize..end as usize))
    }
}

/// Checks chunks of a block.
#[derive(Clone, Copy, Debug)]
struct Check {
    algorithm: Algorithm,
    chunk_bytes: usize,
}

impl Check {
    fn of(checksums: &Checksums) -> Result<Self, Failure> {
        let algorithm = Algorithm::try_from(checksums.algorithm).map_err(|_| no_sense())?;
        let chunk_bytes = checksums.chunk_bytes as usize;
        if chunk_bytes == 0 && algorithm != Algorithm::None {
            return Err(no_sense());
        }
        Ok(Self {
            algorithm,
            chunk_bytes,
        })
    }

    fn fits(self, checksums: &[u8], data: &[u8]) -> Result<bool, Failure> {
        let checksum = match self.algorithm {
            Algorithm::None => return Ok(true),
            Algorithm::Crc32 => crc32fast::hash,
            Algorithm::Crc32c => crc32c::crc32c,
        };
        if checksums.len() != data.len().div_ceil(self.chunk_bytes) * CHECKSUM_BYTES {
            return Err(no_sense());
        }
        let stored = checksums.chunks_exact(CHECKSUM_BYTES);
        Ok(data
            .chunks(self.chunk_bytes)
            .zip(stored)
            .all(|(chunk, stored)| checksum(chunk).to_be_bytes() == stored))
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::of_transfer(&error)
}

fn no_sense() -> Failure {
    Failure::new(
        ErrorKind::Unavailable,
        "a DataNode answered what this version does not know",
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const CHUNK_BYTES: usize = 512;
    /// Two chunks and a part of one, the largest that these packets have.
    const PACKET_BYTES: usize = 1300;

    fn block() -> Vec<u8> {
        (0..5000u32).map(|number| (number % 251) as u8).collect()
    }

    fn response(status: Status, says: &str) -> Vec<u8> {
        let checksums = Checksums {
            algorithm: Algorithm::Crc32c as i32,
            chunk_bytes: CHUNK_BYTES as u32,
        };
        let response = Response {
            status: status as i32,
            checksums: Some(ChecksumsFrom { checksums }),
            message: Some(says.to_owned()),
        };
        response.encode_length_delimited_to_vec()
    }

    fn packet(offset: usize, data: &[u8], last: bool) -> Vec<u8> {
        let header = PacketHeader {
            offset_in_block: offset as i64,
            number: 0,
            last,
            data_bytes: data.len() as i32,
        };
        let header = header.encode_to_vec();
        let checksums = data
            .chunks(CHUNK_BYTES)
            .flat_map(|chunk| crc32c::crc32c(chunk).to_be_bytes());
        let checksums: Vec<u8> = checksums.collect();
        let mut packet = ((4 + checksums.len() + data.len()) as u32).to_be_bytes().to_vec();
        packet.extend((header.len() as u16).to_be_bytes());
        packet.extend([&header, &checksums, data].concat());
        packet
    }

    /// What a DataNode answers whoever asks for `offset` to `end` of the block.
    fn answer(offset: usize, end: usize) -> Vec<u8> {
        let start = offset / CHUNK_BYTES * CHUNK_BYTES;
        let end = end.next_multiple_of(CHUNK_BYTES).min(block().len());
        let mut answer = response(Status::Success, "");
        let mut at = start;
        for data in block()[start..end].chunks(PACKET_BYTES) {
            answer.extend(packet(at, data, false));
            at += data.len();
        }
        answer.extend(packet(at, &[], true));
        answer
    }

    /// The bytes that somebody gets who asks for `offset` to `end`, when all that comes is `answer`.
    async fn read(offset: usize, end: usize, answer: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut version = [0; 3];
            stream.read_exact(&mut version).await.unwrap();
            assert_eq!(version, [0, 28, 81]);
            stream.write_all(&answer).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.map(|_| rest)
        });
        let id = BlockId {
            pool: "BP-1".to_owned(),
            id: 1,
            generation: 1001,
        };
        let connection = Connection::open(&address).await?;
        let len = (end - offset) as u64;
        let mut reading = connection
            .read(&id, &Token::default(), offset as u64, len)
            .await?;
        let mut got = Vec::new();
        while let Some(bytes) = reading.next().await? {
            got.extend_from_slice(&bytes);
        }
        drop(reading.end().await?);
        let said = serving.await.unwrap().unwrap();
        assert_eq!(said[said.len() - 3..], [2, 8, 6], "the checksums fitted");
        Ok(got)
    }

    #[tokio::test]
    async fn a_span_is_cut_out_of_whole_chunks() {
        for (offset, end) in [(0, 5000), (511, 513), (512, 1024), (1, 4999), (4999, 5000)] {
            let got = read(offset, end, answer(offset, end)).await.unwrap();
            assert!(got == block()[offset..end], "{offset} to {end}");
        }
    }

    #[tokio::test]
    async fn bytes_that_do_not_fit_their_checksums_are_not_given() {
        let whole = answer(0, 5000);
        let changed = whole.len() - 100;
        let mut damaged = whole.clone();
        damaged[changed] ^= 1;
        let failure = read(0, 5000, damaged).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Corrupt, "{failure}");
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_never_taken_for_the_whole() {
        let whole = answer(600, 5000);
        for cut in 0..whole.len() {
            let failure = read(600, 5000, whole[..cut].to_vec()).await.unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::Unavailable, "{cut}: {failure}");
            assert!(failure.is_of_connection(), "{cut}: {failure}");
        }
        let failure = read(0, 5000, answer(0, 2000)).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
    }

    #[tokio::test]
    async fn what_a_datanode_refuses_it_says() {
        let refused = response(Status::Error, "Replica not found\n\tat java.lang.Thread");
        let failure = read(0, 5000, refused).await.unwrap_err();
        assert!(!failure.is_of_connection());
        assert!(failure.to_string().ends_with("Replica not found"), "{failure}");
    }

    #[tokio::test]
    async fn what_is_no_answer_of_a_datanode_is_unavailable() {
        let ok = response(Status::Success, "");
        let with = |packet: &[u8]| [&ok[..], packet].concat();
        let mut negative = packet(0, &[], false);
        // The last four bytes of the header: how many of data there are.
        let len = negative.len();
        negative[len - 4..].copy_from_slice(&(-1_i32).to_le_bytes());
        for nonsense in [
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            vec![0xff; 64],
            with(&[0xff; 64]),
            with(&[0, 0, 0, 4, 0, 3, 1, 2, 3]),
            with(&negative),
            // From behind what is asked for.
            with(&packet(1024, &block()[1024..1536], false)),
        ] {
            let failure = read(0, 5000, nonsense.clone()).await.unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::Unavailable, "{nonsense:?}: {failure}");
        }
    }
}
