//! Downloads: the bytes of a response in memory or in a file.

use std::{
    ffi::OsString,
    fs, io, mem,
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use tokio::{fs::File, task::spawn_blocking};

use super::body::ByteStream;
use crate::error::{Error, ErrorKind, Result};

impl ByteStream {
    /// Collects the bytes that follow. Set [`with_max_bytes`](Self::with_max_bytes) to limit the memory.
    ///
    /// # Errors
    /// Fails if the response is cut off or exceeds the limit.
    pub async fn bytes(&mut self) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Writes the bytes that follow to a file, and returns how many there were. Replaces an existing file.
    ///
    /// The file appears under its name only when it is complete and on disk: until then, the bytes are in a hidden file
    /// beside it. An error removes that file, as does dropping the future.
    ///
    /// # Errors
    /// Fails if the response is cut off or exceeds the limit, and with [`ErrorKind::File`] if the file cannot be written.
    pub async fn save_to(&mut self, path: impl AsRef<Path>) -> Result<u64> {
        let path = path.as_ref();
        let failed = |error: io::Error| Error::file(format!("failed to write {}", path.display()), error);
        let partial = PartialFile::beside(path).map_err(failed)?;
        let mut file = File::create_new(partial.path()).await.map_err(failed)?.into_std().await;
        let mut length = 0_u64;
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            length = length.saturating_add(chunk.len() as u64);
            file =
                in_background(move || io::Write::write_all(&mut file, &chunk).map(|()| file)).await?.map_err(failed)?;
        }
        // On disk before it has its name, so that a crash leaves the whole file or none.
        in_background(move || file.sync_all()).await?.map_err(failed)?;
        tokio::fs::rename(partial.path(), path).await.map_err(failed)?;
        partial.keep();
        Ok(length)
    }
}

/// Runs what would block the runtime.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| Error::new(ErrorKind::File, "failed to write a file").with_source(error))
}

/// The name of a file that is not complete. Dropping it removes the file.
struct PartialFile(PathBuf);

impl PartialFile {
    fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{:016x}.part", fastrand::u64(..)));
        Ok(Self(path.with_file_name(hidden)))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        let path = mem::take(&mut self.0);
        if !path.as_os_str().is_empty() {
            // There is nobody to tell, and the file has no name that anybody looks for.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("anthropic-messages-{name}-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn files(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[tokio::test]
    async fn a_file_has_its_name_only_when_it_is_complete() {
        let folder = folder("download");
        let path = folder.join("report.pdf");
        let cut = || ByteStream::from_chunks(vec![Ok("half"), Err(io::Error::other("reset"))]);
        let error = cut().save_to(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert_eq!(files(&folder), Vec::<OsString>::new());

        let mut whole = ByteStream::from_chunks(vec![Ok("one "), Ok("two")]);
        assert_eq!(whole.save_to(&path).await.unwrap(), 7);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one two");

        // A failure leaves the file of before.
        cut().save_to(&path).await.unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one two");
        assert_eq!(files(&folder), ["report.pdf"]);

        let missing = folder.join("missing").join("report.pdf");
        let error = ByteStream::from_chunks(vec![Ok("x")]).save_to(&missing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_limit_ends_the_stream() {
        let stream = || ByteStream::from_chunks(vec![Ok("1234"), Ok("56")]);
        assert_eq!(stream().with_max_bytes(6).bytes().await.unwrap(), "123456");
        let mut limited = stream().with_max_bytes(5);
        assert_eq!(limited.next().await.unwrap().unwrap(), "1234");
        assert_eq!(limited.next().await.unwrap().unwrap_err().kind(), ErrorKind::BodyTooLarge);
        assert!(limited.next().await.is_none(), "the stream went on behind its error");
    }
}
