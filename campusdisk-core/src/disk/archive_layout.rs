//! What an archive holds and where: every part's place and length, from the catalog alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::access::Place;
use super::chain::Chain;
use super::moving::Pace;
use super::shared::Shared;
use crate::catalog::record::{Node, NodeKind};
use crate::zip::{self, Entry};
use crate::{ContentId, EntryName, Error, ErrorKind, Result, Timestamp};

/// The longest path that an archive can name (APPNOTE §4.4.10).
const MAX_PATH_BYTES: usize = u16::MAX as usize;

/// Characters that no name may have on Windows; slashes, control characters and dots at the end are in no entry's name.
const FORBIDDEN: [char; 7] = ['<', '>', ':', '"', '|', '?', '*'];

/// Names of devices, which no file may have on Windows, whatever its ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// A node that goes into an archive, and where.
#[derive(Debug)]
pub(super) struct Found {
    path: Box<str>,
    content: Option<ContentId>,
    size_bytes: u64,
    modified: Timestamp,
}

/// An archive without its files' bytes.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) parts: Vec<Part>,
    pub(super) directory_offset: u64,
    pub(super) directory_bytes: u64,
    pub(super) size_bytes: u64,
    /// The same only for an archive of the same bytes.
    pub(super) tag: u128,
    pub(super) modified: Timestamp,
}

/// One entry, and where it stands.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) entry: Entry,
    pub(super) content: Option<ContentId>,
    /// Where its head begins; its bytes follow.
    pub(super) offset: u64,
    /// Where in the directory its line begins.
    pub(super) directory_offset: u64,
}

impl Layout {
    fn of(found: Vec<Found>, crc32s: &HashMap<ContentId, u32>) -> Self {
        let mut tag = Sha256::new();
        let (mut offset, mut directory_offset) = (0, 0);
        let mut modified = Timestamp::default();
        let mut parts = Vec::with_capacity(found.len());
        for found in found {
            let crc32 = found.content.and_then(|content| crc32s.get(&content).copied());
            let entry = Entry {
                path: found.path,
                size_bytes: found.size_bytes,
                crc32: crc32.unwrap_or(0),
                modified: found.modified,
            };
            tag.update((entry.path.len() as u64).to_be_bytes());
            tag.update(entry.path.as_bytes());
            tag.update(entry.size_bytes.to_be_bytes());
            tag.update(entry.crc32.to_be_bytes());
            tag.update(found.content.map_or(0, ContentId::as_u128).to_be_bytes());
            tag.update(entry.modified.as_millis().to_be_bytes());
            modified = modified.max(entry.modified);
            let part = Part {
                content: found.content,
                offset,
                directory_offset,
                entry,
            };
            directory_offset += part.entry.central_bytes(offset);
            offset = part.end();
            parts.push(part);
        }
        let end_bytes = zip::end_bytes(parts.len() as u64, offset, directory_offset);
        let digest = tag.finalize();
        let (tag, _) = digest.split_at(16);
        Self {
            parts,
            directory_offset: offset,
            directory_bytes: directory_offset,
            size_bytes: offset + directory_offset + end_bytes,
            tag: tag.iter().fold(0, |tag, &byte| tag << 8 | u128::from(byte)),
            modified,
        }
    }
}

impl Part {
    /// Where its bytes begin.
    pub(super) fn data_offset(&self) -> u64 {
        self.offset + self.entry.local_bytes()
    }

    /// Where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.data_offset() + self.entry.size_bytes
    }
}

impl Shared {
    /// How long an archive of `roots` is.
    pub(super) async fn archive_bytes(&self, roots: &[Arc<Place>]) -> Result<u64> {
        let found = self.gather(roots).await?;
        // What the checksums are changes no length.
        Ok(Layout::of(found, &HashMap::new()).size_bytes)
    }

    /// The archive of `roots`, each under its own name. Reads files whose CRC-32 is not known yet.
    ///
    /// # Errors
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) for more nodes than the policy puts into one.
    pub(super) async fn archive_layout(self: &Arc<Self>, roots: &[Arc<Place>]) -> Result<Layout> {
        let found = self.gather(roots).await?;
        let contents: HashSet<_> = found.iter().filter_map(|found| found.content).collect();
        let contents: Vec<_> = contents.into_iter().collect();
        let mut crc32s = HashMap::with_capacity(contents.len());
        for some in contents.chunks(self.policy.batch_rows.max(1) as usize) {
            for (content, crc32) in self.catalog.crc32s(some).await? {
                let crc32 = match crc32 {
                    Some(crc32) => crc32,
                    None => self.find_crc32(content).await?,
                };
                crc32s.insert(content, crc32);
            }
        }
        Ok(Layout::of(found, &crc32s))
    }

    /// Reads a content that nobody has read yet: an object of a mount, mostly.
    async fn find_crc32(self: &Arc<Self>, id: ContentId) -> Result<u32> {
        self.hash_content(id).await?;
        let content = self.catalog.content(id).await?.ok_or_else(Error::not_found)?;
        match content.crc32 {
            Some(crc32) => Ok(crc32),
            None => {
                let body = Chain::over(self.clone(), Arc::new(content));
                Ok(self.hash_body(body, &Pace::default()).await?.crc32)
            }
        }
    }

    /// Everything live at and below `roots`, folders before what is in them, by name.
    async fn gather(&self, roots: &[Arc<Place>]) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut names = Names::default();
        // What is to come, the next last.
        let mut waiting = Vec::new();
        for root in roots {
            let name = self.name_for_visitors(&root.node).await?;
            waiting.push((names.take(&name), root.node.clone()));
        }
        waiting.reverse();
        while let Some((path, node)) = waiting.pop() {
            if found.len() >= self.policy.max_archive_nodes {
                let limit = self.policy.max_archive_nodes;
                let text = format!("more than {limit} files and folders can't be fetched as one archive");
                return Err(Error::new(ErrorKind::LimitExceeded, text));
            }
            let folder = (node.kind == NodeKind::Folder).then(|| format!("{path}/"));
            if let Some(path) = &folder {
                let below = self.below(path, &node).await?;
                waiting.extend(below.into_iter().rev());
            }
            let path = folder.unwrap_or(path);
            if path.len() > MAX_PATH_BYTES {
                let text =
                    format!("an archive can't name what has a path of more than {MAX_PATH_BYTES} bytes");
                return Err(Error::new(ErrorKind::LimitExceeded, text));
            }
            found.push(Found {
                path: path.into(),
                content: node.content,
                size_bytes: node.size_bytes,
                modified: node.modified,
            });
        }
        Ok(found)
    }

    /// The children of a folder with their paths, by name.
    async fn below(&self, path: &str, folder: &Node) -> Result<Vec<(String, Node)>> {
        let children = self
            .all_children(folder.id, self.policy.max_archive_nodes)
            .await?;
        let mut names = Names::default();
        let with_path = |child: Node| (format!("{path}{}", names.take(child.name.as_str())), child);
        Ok(children.into_iter().map(with_path).collect())
    }
}

/// The names that are taken in one folder of an archive.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    /// The name, or the next free one for it, such as `same (2).txt`, in a form that Windows takes too.
    fn take(&mut self, name: &str) -> String {
        let portable = portable(name);
        if self.0.insert(portable.clone()) {
            return portable;
        }
        let numbered = EntryName::parse(&portable).ok().and_then(|name| {
            let mut numbers = (2..=u32::MAX).map(|number| name.numbered(number).as_str().to_owned());
            numbers.find(|numbered| !self.0.contains(numbered))
        });
        let numbered = numbered.unwrap_or(portable);
        self.0.insert(numbered.clone());
        numbered
    }
}

/// The name as Windows takes it: what it forbids becomes `_`.
fn portable(name: &str) -> String {
    // The name of a drive is any text.
    let forbidden = |character: char| {
        FORBIDDEN.contains(&character) || matches!(character, '/' | '\\') || character.is_control()
    };
    let name = name.trim().trim_end_matches('.');
    let name: String = name
        .chars()
        .map(|character| if forbidden(character) { '_' } else { character })
        .collect();
    match name.is_empty() || is_device(&name) {
        true => format!("_{name}"),
        false => name,
    }
}

/// Whether Windows takes a name for a device: `CON`, `nul.txt`, `COM1`.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_ascii_lowercase();
    let (word, number) = match stem.strip_suffix(|last: char| last.is_ascii_digit() && last != '0') {
        Some(word) => (word, true),
        None => (stem.as_str(), false),
    };
    DEVICES.contains(&word) && number == matches!(word, "com" | "lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_numbered_before_their_ending() {
        let mut names = Names::default();
        let taken = ["same.txt", "same.txt", "same (2).txt", "same.txt", "成绩", "成绩"];
        assert_eq!(
            taken.map(|name| names.take(name)),
            [
                "same.txt",
                "same (2).txt",
                "same (2) (2).txt",
                "same (3).txt",
                "成绩",
                "成绩 (2)"
            ]
        );
    }

    #[test]
    fn names_are_such_that_windows_takes_them() {
        for (name, expected) in [
            ("a:b?.txt", "a_b_.txt"),
            ("\"<成绩>\"|*", "__成绩____"),
            ("CON", "_CON"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("com1.txt", "_com1.txt"),
            ("lpt0", "lpt0"),
            ("com", "com"),
            ("console.txt", "console.txt"),
            ("a/b", "a_b"),
            (" .. ", "_"),
        ] {
            assert_eq!(portable(name), expected, "{name}");
        }
        let mut names = Names::default();
        assert_eq!(["a?", "a*"].map(|name| names.take(name)), ["a_", "a_ (2)"]);
    }

    fn found(path: &str, number: u128, size_bytes: u64) -> Found {
        Found {
            path: path.into(),
            content: (number > 0).then(|| ContentId::from_u128(number)),
            size_bytes,
            modified: Timestamp::from_millis(1_795_957_457_000),
        }
    }

    #[test]
    fn the_tag_is_another_when_anything_is() {
        let crc32s = HashMap::from([(ContentId::from_u128(1), 7)]);
        let tag = |found: Vec<Found>| Layout::of(found, &crc32s).tag;
        let same = tag(vec![found("a/", 0, 0), found("a/b", 1, 3)]);
        assert_eq!(tag(vec![found("a/", 0, 0), found("a/b", 1, 3)]), same);
        let mut later = found("a/b", 1, 3);
        later.modified = Timestamp::from_millis(1_795_957_458_000);
        for other in [
            vec![found("a/b", 1, 3), found("a/", 0, 0)],
            vec![found("a/", 0, 0), found("a/c", 1, 3)],
            vec![found("a/", 0, 0), found("a/b", 1, 4)],
            vec![found("a/", 0, 0), found("a/b", 2, 3)],
            vec![found("a/", 0, 0), later],
            vec![found("a/b", 1, 3)],
        ] {
            assert_ne!(tag(other), same);
        }
    }

    #[test]
    fn parts_follow_each_other_without_a_gap() {
        let long = 5 << 30;
        let layout = Layout::of(
            vec![
                found("a/", 0, 0),
                found("a/long", 1, long),
                found("a/short", 2, 3),
            ],
            &HashMap::new(),
        );
        let mut at = 0;
        for part in &layout.parts {
            assert_eq!(part.offset, at);
            at = part.end();
        }
        assert_eq!(layout.directory_offset, at);
        assert!(layout.size_bytes > long);
    }
}
