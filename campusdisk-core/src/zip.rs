//! The parts of a ZIP archive (PKWARE APPNOTE 6.3.10) whose bytes are stored as they are, so that each part's place and length are
//! known from facts alone.
//!
//! Names are UTF-8 (bit 11, APPENDIX D). Times stand twice: in the two-second form that every program reads, in UTC, and in the field
//! of Info-ZIP ("UT") that says so. ZIP64 records (§4.3.14, §4.5.3) are there only where a number needs them.

use crate::Timestamp;

/// What an archive says of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path, its folders separated by `/`; that of a folder ends in one.
    pub(crate) path: Box<str>,
    pub(crate) size_bytes: u64,
    pub(crate) crc32: u32,
    pub(crate) modified: Timestamp,
}

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const LOCATOR64_SIGNATURE: u32 = 0x0706_4b50;

/// The lengths of the parts without names and extra fields.
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: u64 = 46;
const END_BYTES: u64 = 22;
const END64_BYTES: u64 = 56;
const LOCATOR64_BYTES: u64 = 20;

/// Extra fields: the head of each, and what is in it.
const EXTRA_HEAD_BYTES: u16 = 4;
const TIME_EXTRA: u16 = 0x5455;
const TIME_EXTRA_BYTES: u16 = 5;
const ZIP64_EXTRA: u16 = 1;

/// The versions that one must understand (§4.4.3): folders, and ZIP64.
const VERSION: u16 = 20;
const VERSION64: u16 = 45;
/// Made on Unix (§4.4.2), so that what a file is stands in the upper half of its external attributes.
const MADE_ON_UNIX: u16 = 3 << 8;
const FILE_ATTRIBUTES: u32 = 0o100_644 << 16;
/// The lower half is for MS-DOS, where bit 4 says folder.
const FOLDER_ATTRIBUTES: u32 = (0o040_755 << 16) | 0x10;

/// Bit 11: names are UTF-8.
const FLAGS: u16 = 1 << 11;
const STORED: u16 = 0;

impl Entry {
    fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }

    fn is_long(&self) -> bool {
        self.size_bytes >= u64::from(u32::MAX)
    }

    /// The length of what [`local`](Self::local) writes.
    pub(crate) fn local_bytes(&self) -> u64 {
        LOCAL_BYTES + self.path.len() as u64 + u64::from(self.local_extra_bytes())
    }

    /// The length of what [`central`](Self::central) writes for an entry at `offset`.
    pub(crate) fn central_bytes(&self, offset: u64) -> u64 {
        CENTRAL_BYTES + self.path.len() as u64 + u64::from(self.central_extra_bytes(offset))
    }

    /// What stands before the entry's bytes.
    pub(crate) fn local(&self, out: &mut Vec<u8>) {
        let (time, date) = dos_time(self.modified);
        let size = capped(self.size_bytes);
        put32(out, [LOCAL_SIGNATURE]);
        let version = if self.is_long() { VERSION64 } else { VERSION };
        put16(out, [version, FLAGS, STORED, time, date]);
        put32(out, [self.crc32, size, size]);
        put16(out, [self.path_bytes(), self.local_extra_bytes()]);
        out.extend_from_slice(self.path.as_bytes());
        self.put_time_extra(out);
        if self.is_long() {
            // Here both sizes must be there (§4.5.3).
            put_zip64_extra(out, &[self.size_bytes, self.size_bytes]);
        }
    }

    /// What stands in the directory at the archive's end, of an entry at `offset`.
    pub(crate) fn central(&self, offset: u64, out: &mut Vec<u8>) {
        let (time, date) = dos_time(self.modified);
        let size = capped(self.size_bytes);
        let beyond = self.beyond_32_bits(offset);
        let version = if beyond.is_empty() { VERSION } else { VERSION64 };
        let attributes = if self.is_folder() {
            FOLDER_ATTRIBUTES
        } else {
            FILE_ATTRIBUTES
        };
        put32(out, [CENTRAL_SIGNATURE]);
        put16(
            out,
            [MADE_ON_UNIX | VERSION64, version, FLAGS, STORED, time, date],
        );
        put32(out, [self.crc32, size, size]);
        // No comment, on the first disk, not known to be text.
        put16(
            out,
            [self.path_bytes(), self.central_extra_bytes(offset), 0, 0, 0],
        );
        put32(out, [attributes, capped(offset)]);
        out.extend_from_slice(self.path.as_bytes());
        self.put_time_extra(out);
        if !beyond.is_empty() {
            put_zip64_extra(out, &beyond);
        }
    }

    /// The numbers that don't fit into the directory's own fields, in their order.
    fn beyond_32_bits(&self, offset: u64) -> Vec<u64> {
        let sizes = [self.size_bytes; 2];
        let long = sizes.into_iter().filter(|_| self.is_long());
        long.chain(Some(offset).filter(|offset| *offset >= u64::from(u32::MAX)))
            .collect()
    }

    fn path_bytes(&self) -> u16 {
        // Whoever makes an entry has checked that.
        u16::try_from(self.path.len()).unwrap_or(u16::MAX)
    }

    fn local_extra_bytes(&self) -> u16 {
        let zip64 = if self.is_long() { EXTRA_HEAD_BYTES + 16 } else { 0 };
        EXTRA_HEAD_BYTES + TIME_EXTRA_BYTES + zip64
    }

    fn central_extra_bytes(&self, offset: u64) -> u16 {
        let zip64 = match self.beyond_32_bits(offset).len() {
            0 => 0,
            numbers => EXTRA_HEAD_BYTES + 8 * numbers as u16,
        };
        EXTRA_HEAD_BYTES + TIME_EXTRA_BYTES + zip64
    }

    fn put_time_extra(&self, out: &mut Vec<u8>) {
        let seconds = self.modified.as_millis().div_euclid(1000);
        let limits = (i32::MIN.into(), i32::MAX.into());
        let seconds = i32::try_from(seconds.clamp(limits.0, limits.1)).unwrap_or(i32::MAX);
        put16(out, [TIME_EXTRA]);
        put16(out, [TIME_EXTRA_BYTES]);
        // Only the time of change is given.
        out.push(1);
        out.extend_from_slice(&seconds.to_le_bytes());
    }
}

/// The length of what [`end`] writes.
pub(crate) fn end_bytes(entries: u64, directory_offset: u64, directory_bytes: u64) -> u64 {
    match needs_zip64(entries, directory_offset, directory_bytes) {
        true => END64_BYTES + LOCATOR64_BYTES + END_BYTES,
        false => END_BYTES,
    }
}

/// What stands behind the directory.
pub(crate) fn end(entries: u64, directory_offset: u64, directory_bytes: u64, out: &mut Vec<u8>) {
    if needs_zip64(entries, directory_offset, directory_bytes) {
        let end64_offset = directory_offset + directory_bytes;
        put32(out, [END64_SIGNATURE]);
        // The length of what follows.
        put64(out, [END64_BYTES - 12]);
        put16(out, [MADE_ON_UNIX | VERSION64, VERSION64]);
        // This disk, and the one of the directory.
        put32(out, [0, 0]);
        put64(out, [entries, entries, directory_bytes, directory_offset]);
        put32(out, [LOCATOR64_SIGNATURE]);
        put32(out, [0]);
        put64(out, [end64_offset]);
        put32(out, [1]);
    }
    let entries = u16::try_from(entries).unwrap_or(u16::MAX);
    put32(out, [END_SIGNATURE]);
    put16(out, [0, 0, entries, entries]);
    put32(out, [capped(directory_bytes), capped(directory_offset)]);
    // No comment.
    put16(out, [0]);
}

fn needs_zip64(entries: u64, directory_offset: u64, directory_bytes: u64) -> bool {
    let most = u64::from(u32::MAX);
    entries >= u64::from(u16::MAX) || directory_offset >= most || directory_bytes >= most
}

/// The number, or what says that it stands in a ZIP64 record.
fn capped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn put_zip64_extra(out: &mut Vec<u8>, numbers: &[u64]) {
    put16(out, [ZIP64_EXTRA]);
    put16(out, [8 * numbers.len() as u16]);
    numbers.iter().for_each(|number| put64(out, [*number]));
}

fn put16<const COUNT: usize>(out: &mut Vec<u8>, fields: [u16; COUNT]) {
    out.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put32<const COUNT: usize>(out: &mut Vec<u8>, fields: [u32; COUNT]) {
    out.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put64<const COUNT: usize>(out: &mut Vec<u8>, fields: [u64; COUNT]) {
    out.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

/// A time of 1980 to 2107 in the form of MS-DOS (§4.4.6): time and date. What is before or after becomes the first or last.
fn dos_time(time: Timestamp) -> (u16, u16) {
    const FIRST: (u16, u16) = (0, (1 << 5) | 1);
    const LAST: (u16, u16) = ((23 << 11) | (59 << 5) | 29, (127 << 9) | (12 << 5) | 31);
    let Ok(instant) = jiff::Timestamp::from_millisecond(time.as_millis()) else {
        return if time.as_millis() < 0 { FIRST } else { LAST };
    };
    let civil = jiff::tz::Offset::UTC.to_datetime(instant);
    let Ok(years) = u16::try_from(civil.year() - 1980) else {
        return FIRST;
    };
    if years > 127 {
        return LAST;
    }
    let part = |number: i8| u16::try_from(number).unwrap_or(0);
    let time = (part(civil.hour()) << 11) | (part(civil.minute()) << 5) | (part(civil.second()) / 2);
    let date = (years << 9) | (part(civil.month()) << 5) | part(civil.day());
    (time, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size_bytes: u64) -> Entry {
        Entry {
            path: path.into(),
            size_bytes,
            crc32: 0x1234_5678,
            // 2026-11-29T13:04:17Z
            modified: Timestamp::from_millis(1_795_957_457_000),
        }
    }

    #[test]
    fn every_part_has_the_length_that_was_said_before() {
        for size_bytes in [0, 5, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 40] {
            let entry = entry("成绩/单.pdf", size_bytes);
            let mut local = Vec::new();
            entry.local(&mut local);
            assert_eq!(local.len() as u64, entry.local_bytes());
            for offset in [0, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 41] {
                let mut central = Vec::new();
                entry.central(offset, &mut central);
                assert_eq!(central.len() as u64, entry.central_bytes(offset));
            }
        }
        for (entries, offset, len) in [
            (0, 0, 0),
            (65_534, 1, 1),
            (65_535, 1, 1),
            (1, 1 << 33, 1),
            (1, 1, 1 << 33),
        ] {
            let mut out = Vec::new();
            end(entries, offset, len, &mut out);
            assert_eq!(out.len() as u64, end_bytes(entries, offset, len));
        }
    }

    #[test]
    fn zip64_is_used_only_where_a_number_needs_it() {
        let mut out = Vec::new();
        entry("a", u64::from(u32::MAX) - 1).local(&mut out);
        assert_eq!(out[4], 20);
        out.clear();
        entry("a", u64::from(u32::MAX)).local(&mut out);
        assert_eq!(out[4], 45);
        assert_eq!(out[18..26], [0xff; 8]);
    }

    #[test]
    fn a_time_is_that_of_utc_and_one_that_does_not_fit_is_the_nearest() {
        let dos = |text: &str| dos_time(Timestamp::parse("time", text).unwrap());
        assert_eq!(
            dos("2026-11-29T13:04:17Z"),
            ((13 << 11) | (4 << 5) | 8, (46 << 9) | (11 << 5) | 29)
        );
        assert_eq!(dos("1979-12-31T23:59:59Z"), (0, 33));
        assert_eq!(dos("2108-01-01T00:00:00Z"), dos("2107-12-31T23:59:59Z"));
    }
}
