//! Files to upload.

use std::{
    fmt, io,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_core::Stream;

/// A file to upload: its name, its media type and its content.
///
/// The content is bytes in memory, a file on disk or a stream of known length. A file on disk is read while it is sent, so an
/// upload of any size needs little memory. A failed upload is sent again as other requests are, except for a stream, which can
/// be read only once.
///
/// ```no_run
/// use anthropic_messages::FileUpload;
///
/// # async fn sample() -> std::io::Result<()> {
/// let report = FileUpload::from_path("report.pdf").await?;
/// let notes = FileUpload::from_bytes("notes.txt", "Call Ada.").with_media_type("text/plain");
/// # let _ = (report, notes);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileUpload {
    name: String,
    media_type: String,
    pub(crate) content: FileContent,
}

#[derive(Clone)]
pub(crate) enum FileContent {
    Bytes(Bytes),
    Path(Arc<Path>, u64),
    /// Taken by the first request that sends it.
    Stream(Arc<Mutex<Option<FileStream>>>, u64),
}

pub(crate) type FileStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl FileUpload {
    /// Creates an upload of bytes in memory. `name` is the name of the file.
    #[must_use]
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::new(name.into(), FileContent::Bytes(bytes.into()))
    }

    /// Creates an upload of a file on disk, with the name that the path ends in. The file is opened when it is sent, once for
    /// each attempt, and its size must not change until then.
    ///
    /// # Errors
    /// Fails if the path is not a file, or its metadata cannot be read.
    pub async fn from_path(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let metadata = tokio::fs::metadata(path).await?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::new(name, FileContent::Path(path.into(), metadata.len())))
    }

    /// Creates an upload of a stream that yields exactly `length` bytes. `name` is the name of the file.
    ///
    /// The stream can be sent once: a request with it is not retried, and the second request fails with
    /// [`ErrorKind::File`](crate::ErrorKind::File).
    #[must_use]
    pub fn from_stream(
        name: impl Into<String>,
        length: u64,
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self::new(name.into(), FileContent::Stream(Arc::new(Mutex::new(Some(Box::pin(stream)))), length))
    }

    fn new(name: String, content: FileContent) -> Self {
        let media_type = media_type_of(&name).to_owned();
        Self { name, media_type, content }
    }

    /// Sets the name of the file.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the media type, such as `application/pdf`. Defaults to the usual one of the name's extension, or to
    /// `application/octet-stream`.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = media_type.into();
        self
    }

    /// Returns the name of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the media type.
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.content {
            FileContent::Bytes(bytes) => bytes.len() as u64,
            FileContent::Path(_, size) | FileContent::Stream(_, size) => *size,
        }
    }
}

/// Leaves out the content.
impl fmt::Debug for FileUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileUpload")
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// The media type of a file name's extension.
fn media_type_of(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "csv" => "text/csv",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "gif" => "image/gif",
        "htm" | "html" => "text/html",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "md" => "text/markdown",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "txt" => "text/plain",
        "webp" => "image/webp",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "text/xml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}
