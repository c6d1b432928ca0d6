//! The file that a bulk job records its progress in.
//!
//! An entry is a line of JSON with its number and a check sum:
//! `{"entry":{"answered":{"custom_id":"a"}},"number":7,"sha256":"0123456789abcdef"}`. The check sum covers the text of the
//! entry and the number, so that a line that was changed, left out, moved or duplicated is detected. If the last
//! line has no line feed, writing it was interrupted: it is dropped, because no action that depends on it has started.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::Path,
};

use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The version of the format, which the first entry names.
const VERSION: u32 = 1;

/// The number of hexadecimal digits of a check sum.
const SUM_DIGITS: usize = 16;

/// One step of a job, recorded before the actions that depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// The first entry.
    Bulk { version: u32 },
    /// A batch is about to be created. `at` is in seconds since the Unix epoch. `newest` is the newest batch that the
    /// service had before.
    Creating { batch: u32, at: u64, newest: Option<NewestBatch>, requests: Vec<RequestEntry> },
    /// The service created the batch and gave it this id.
    Created { batch: u32, id: String },
    /// The batch was not created: the service rejected it, or does not have it.
    NotCreated { batch: u32 },
    /// The caller acknowledged the answer to a request.
    Answered { custom_id: String },
    /// The request expired in its batch or found the service overloaded, and will be sent again.
    Again { custom_id: String },
    /// The caller canceled the job.
    Canceled,
}

/// The record of a request: its id and a hash of its JSON, never its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RequestEntry(pub(super) String, pub(super) u64);

/// The newest batch of the service. It marks a time on the service's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NewestBatch {
    pub(super) id: String,
    pub(super) created_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    entry: &'a RawValue,
    number: u64,
    sha256: String,
}

/// An open journal, locked against other processes.
#[derive(Debug)]
pub(super) struct Journal {
    file: LockedFile,
    /// The number of entries.
    entries: u64,
    abort: Option<Abort>,
}

/// The write at which a journal stops, as if the process had been killed. For tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abort {
    /// The number of writes that succeed before.
    pub(super) after: u64,
    /// The number of bytes of the next one that still reach the file.
    pub(super) torn: usize,
}

impl Journal {
    /// Opens or creates a journal, and passes each of its entries to `replay`, which fails if an entry can't follow the
    /// ones before it.
    pub(super) fn open(path: &Path, mut replay: impl FnMut(Entry) -> Result<(), String>) -> io::Result<Self> {
        let mut file = LockedFile::new(OpenOptions::new().read(true).append(true).create(true).open(path)?)?;
        let mut entries = 0;
        let mut whole = 0;
        let mut reader = BufReader::new(&file.0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            let Some(text) = line.strip_suffix(b"\n") else { break };
            entries += 1;
            let damaged = |reason: String| {
                io::Error::new(io::ErrorKind::InvalidData, format!("line {entries} is damaged: {reason}"))
            };
            let entry = parse(text, entries).map_err(damaged)?;
            if (entries == 1) != matches!(entry, Entry::Bulk { .. }) {
                return Err(damaged("not the first entry of a journal".to_owned()));
            }
            match entry {
                Entry::Bulk { version: VERSION } => {}
                Entry::Bulk { version } => return Err(damaged(format!("unknown version {version}"))),
                entry => replay(entry).map_err(damaged)?,
            }
            whole += length as u64;
        }
        drop(reader);
        // The remains of an interrupted write would become part of the next line.
        if file.0.metadata()?.len() != whole {
            file.0.set_len(whole)?;
        }
        file.0.seek(SeekFrom::End(0))?;
        let mut journal = Self { file, entries, abort: None };
        if entries == 0 {
            journal.write(&Entry::Bulk { version: VERSION })?;
        }
        Ok(journal)
    }

    /// Appends an entry. It survives a crash of the process, and a power failure once [`sync`](Self::sync) returns.
    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let number = self.entries + 1;
        let text = serde_json::value::to_raw_value(entry)?;
        let line = Line { entry: &text, number, sha256: sum(text.get(), number) };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        if let Some(abort) = &mut self.abort {
            let Some(after) = abort.after.checked_sub(1) else {
                let torn = std::mem::take(&mut abort.torn).min(line.len());
                self.file.0.write_all(line.get(..torn).unwrap_or_default())?;
                return Err(io::Error::other("aborted by a test"));
            };
            abort.after = after;
        }
        self.file.0.write_all(&line)?;
        self.entries = number;
        Ok(())
    }

    /// Waits until all entries are on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.0.sync_data()
    }

    pub(super) fn abort_at(&mut self, abort: Abort) {
        self.abort = Some(abort);
    }
}

/// A file that no other process can lock meanwhile.
#[derive(Debug)]
struct LockedFile(File);

impl LockedFile {
    fn new(file: File) -> io::Result<Self> {
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "another job has it open")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for LockedFile {
    /// Unlocks the file. Closing it isn't enough: a process that another thread is starting has a copy of the descriptor, and
    /// with it the lock, until it runs its program.
    fn drop(&mut self) {
        // Closing the file is all that is left if this fails.
        let _ = FileExt::unlock(&self.0);
    }
}

/// Returns the entry of a line.
fn parse(text: &[u8], number: u64) -> Result<Entry, String> {
    let line: Line<'_> = serde_json::from_slice(text).map_err(|_| "not an entry".to_owned())?;
    if line.number != number {
        return Err(format!("has the number {}", line.number));
    }
    if line.sha256 != sum(line.entry.get(), number) {
        return Err("has another check sum".to_owned());
    }
    serde_json::from_str(line.entry.get()).map_err(|_| "unknown entry".to_owned())
}

fn sum(entry: &str, number: u64) -> String {
    let mut sha256 = Sha256::new();
    sha256.update(number.to_le_bytes());
    sha256.update(entry);
    hexadecimal(&sha256.finalize())
}

/// Returns a hash of a request's JSON. Its 64 bits detect an edited request. They don't protect against deliberate
/// collisions.
pub(super) fn hash(json: &[u8]) -> u64 {
    Sha256::digest(json).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Returns the first [`SUM_DIGITS`] digits.
fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
    bytes.iter().flat_map(digits).take(SUM_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn entries_come_back_in_order() {
        let (folder, written) = written();
        assert_eq!(reopened(&folder).unwrap(), written);
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_written_again() {
        let (folder, written) = written();
        let path = folder.path().join("journal");
        let text = fs::read(&path).unwrap();
        let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for cut in last..text.len() {
            fs::write(&path, &text[..cut]).unwrap();
            assert_eq!(reopened(&folder).unwrap(), written[..written.len() - 1]);
            let mut journal = Journal::open(&path, |_| Ok(())).unwrap();
            journal.write(written.last().unwrap()).unwrap();
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn every_other_damage_is_an_error_with_its_line() {
        let (folder, _) = written();
        let path = folder.path().join("journal");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        let damages = [
            (
                "a changed id",
                text.replacen("\"answered\":{\"custom_id\":\"a\"", "\"answered\":{\"custom_id\":\"b\"", 1),
                4,
            ),
            ("a changed number", text.replacen("\"number\":3", "\"number\":4", 1), 3),
            ("a changed check sum", text.replacen("\"sha256\":\"", "\"sha256\":\"0", 1), 1),
            ("a line left out", joined(&[lines[0], lines[1], lines[3]]), 3),
            ("the first line left out", joined(&lines[1..]), 1),
            ("a line twice", joined(&[lines[0], lines[1], lines[1]]), 3),
            ("two lines exchanged", joined(&[lines[0], lines[2], lines[1]]), 2),
            ("an empty line", joined(&[lines[0], "", lines[1]]), 2),
            ("a torn line before others", joined(&[lines[0], r#"{"entry":"#, lines[2]]), 2),
            ("two lines joined", joined(&[lines[0], &(lines[1].to_owned() + lines[2])]), 2),
            ("no UTF-8", text.replacen("\"a\"", "\"\u{7f}\"", 1), 2),
            ("another file", "hello\n".to_owned(), 1),
        ];
        for (damage, text, line) in damages {
            fs::write(&path, text).unwrap();
            let error = reopened(&folder).expect_err(damage).to_string();
            assert!(error.contains(&format!("line {line} ")), "{damage}: {error}");
        }
    }

    #[test]
    fn a_journal_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let file = LockedFile::new(File::create(&path).unwrap()).unwrap();
        let mut journal = Journal { file, entries: 0, abort: None };
        journal.write(&Entry::Bulk { version: VERSION + 1 }).unwrap();
        drop(journal);
        assert!(reopened(&folder).unwrap_err().to_string().contains("unknown version 2"));
    }

    #[test]
    fn a_second_opener_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let first = Journal::open(&path, |_| Ok(())).unwrap();
        assert_eq!(Journal::open(&path, |_| Ok(())).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        Journal::open(&path, |_| Ok(())).unwrap();
    }

    #[test]
    fn a_closed_journal_is_unlocked_though_a_copy_of_its_descriptor_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, |_| Ok(())).unwrap();
        let _copy = journal.file.0.try_clone().unwrap();
        drop(journal);
        Journal::open(&path, |_| Ok(())).unwrap();
        // A journal that can't be read is unlocked as well.
        fs::write(&path, "hello\n").unwrap();
        for _ in 0..2 {
            assert_eq!(Journal::open(&path, |_| Ok(())).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    fn written() -> (tempfile::TempDir, Vec<Entry>) {
        let folder = tempfile::tempdir().unwrap();
        let entries = vec![
            Entry::Creating {
                batch: 1,
                at: 9,
                newest: None,
                requests: vec![RequestEntry("a".to_owned(), hash(b"{}"))],
            },
            Entry::Created { batch: 1, id: "msgbatch_1".to_owned() },
            Entry::Answered { custom_id: "a".to_owned() },
        ];
        let mut journal = Journal::open(&folder.path().join("journal"), |_| Ok(())).unwrap();
        entries.iter().for_each(|entry| journal.write(entry).unwrap());
        (folder, entries)
    }

    fn reopened(folder: &tempfile::TempDir) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        Journal::open(&folder.path().join("journal"), |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok(entries)
    }
}
