//! Where the blocks of a file lie.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::{Buf, Bytes};
use serde::Deserialize;

use crate::transfer::{BlockId, Token};

/// The blocks of a part of a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Located {
    #[serde(rename = "fileLength")]
    pub(crate) file_bytes: u64,
    #[serde(rename = "isUnderConstruction", default)]
    pub(crate) is_being_written: bool,
    #[serde(rename = "locatedBlocks", default)]
    blocks: Vec<Block>,
}

impl Located {
    /// The block that has the byte at `offset` of the file.
    pub(crate) fn block_at(&self, offset: u64) -> Option<&Block> {
        let mut blocks = self.blocks.iter();
        blocks.find(|block| (block.start..block.end()).contains(&offset))
    }
}

/// One block, and who has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Block {
    /// Where in the file it starts.
    #[serde(rename = "startOffset")]
    pub(crate) start: u64,
    block: Name,
    #[serde(rename = "blockToken", default)]
    token: UrlToken,
    /// DataNodes, the nearest first.
    #[serde(rename = "locations", default)]
    pub(crate) replicas: Vec<Replica>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    block_pool_id: String,
    block_id: u64,
    generation_stamp: u64,
    num_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
struct UrlToken {
    #[serde(rename = "urlString", default)]
    text: String,
}

/// A DataNode that has a block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replica {
    ip_addr: String,
    host_name: String,
    xfer_port: u16,
}

impl Block {
    /// Where in the file it ends.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.block.num_bytes)
    }

    pub(crate) fn id(&self) -> BlockId {
        BlockId {
            pool: self.block.block_pool_id.clone(),
            id: self.block.block_id,
            generation: self.block.generation_stamp,
        }
    }

    /// What DataNodes want to see; `None` where it can't be read.
    pub(crate) fn token(&self) -> Option<Token> {
        parse_token(&self.token.text)
    }
}

impl Replica {
    /// Where it transfers blocks, by its name where `by_name` says so (`dfs.client.use.datanode.hostname`).
    pub(crate) fn address(&self, by_name: bool) -> String {
        let host = if by_name { &self.host_name } else { &self.ip_addr };
        match host.contains(':') {
            true => format!("[{host}]:{}", self.xfer_port),
            false => format!("{host}:{}", self.xfer_port),
        }
    }
}

/// Reads Hadoop's `Token` as its `encodeToUrlString` writes it: four fields with their lengths.
fn parse_token(text: &str) -> Option<Token> {
    if text.is_empty() {
        return Some(Token::default());
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    let mut rest = Bytes::from(bytes.ok()?);
    let mut field = || {
        let len = take_length(&mut rest)?;
        (rest.remaining() >= len).then(|| rest.split_to(len))
    };
    let (identifier, password) = (field()?, field()?);
    let mut word = || String::from_utf8(field()?.into()).ok();
    let (kind, service) = (word()?, word()?);
    Some(Token {
        identifier,
        password,
        kind,
        service,
    })
}

/// Reads a `vint` of Hadoop's `WritableUtils`, as far as lengths need it.
fn take_length(rest: &mut Bytes) -> Option<usize> {
    if !rest.has_remaining() {
        return None;
    }
    let first = rest.get_i8();
    if first >= 0 {
        return usize::try_from(first).ok();
    }
    // -113 to -116: so many bytes follow, more than 112 of one. What is less than that is longer or negative.
    let bytes = usize::try_from(-112 - i32::from(first)).ok()?;
    if !(1..=4).contains(&bytes) || rest.remaining() < bytes {
        return None;
    }
    usize::try_from(rest.get_uint(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a NameNode of 3.5.0 writes it, shortened.
    const LOCATED: &str = r#"{"fileLength":200,"isLastBlockComplete":true,"isUnderConstruction":false,"locatedBlocks":[
        {"block":{"blockId":1073741825,"blockPoolId":"BP-1-10.0.0.9-1","generationStamp":1001,"numBytes":128},
         "blockToken":{"urlString":"AAAAAA"},"isCorrupt":false,"startOffset":0,"cachedLocations":[],
         "locations":[{"ipAddr":"10.0.0.1","hostName":"dn1.campus.example","xferPort":9866,"infoPort":9864},
                      {"ipAddr":"fd00::2","hostName":"dn2.campus.example","xferPort":9866}]},
        {"block":{"blockId":1073741826,"blockPoolId":"BP-1-10.0.0.9-1","generationStamp":1002,"numBytes":72},
         "startOffset":128,"locations":[]}]}"#;

    #[test]
    fn the_block_of_a_byte_is_found_and_who_has_it() {
        let located: Located = serde_json::from_str(LOCATED).unwrap();
        let first = located.block_at(127).unwrap();
        assert_eq!((first.id().id, first.id().generation), (1_073_741_825, 1001));
        assert_eq!(first.token(), Some(Token::default()));
        let addresses = |by_name| {
            let replicas = first.replicas.iter();
            replicas
                .map(|replica| replica.address(by_name))
                .collect::<Vec<_>>()
        };
        assert_eq!(addresses(false), ["10.0.0.1:9866", "[fd00::2]:9866"]);
        assert_eq!(
            addresses(true),
            ["dn1.campus.example:9866", "dn2.campus.example:9866"]
        );
        assert_eq!(located.block_at(128).unwrap().id().id, 1_073_741_826);
        assert!(located.block_at(200).is_none());
    }

    #[test]
    fn a_token_has_four_fields_with_their_lengths() {
        // A length above 127 has its own length in front.
        let mut bytes = vec![3, 1, 2, 3, -113_i8 as u8, 200];
        bytes.extend([7; 200]);
        bytes.extend(b"\x11HDFS_BLOCK_TOKEN1\x00");
        let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
        let token = parse_token(&text).unwrap();
        assert_eq!(token.identifier, [1, 2, 3][..]);
        assert_eq!(token.password, [7; 200][..]);
        assert_eq!(
            (token.kind.as_str(), token.service.as_str()),
            ("HDFS_BLOCK_TOKEN1", "")
        );
        for cut in 0..bytes.len() {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes[..cut]);
            assert_eq!(parse_token(&text).is_some(), cut == 0, "{cut}");
        }
    }
}
